// Stands in for plotly.min.js where ./dev setup could not fetch it: page.js sees
// that there is no Plotly, and says so.
