// The report's behaviour: reads the results that stand in the page, and builds
// its tables and plots from them. Nothing is loaded from anywhere.
'use strict';

const results = JSON.parse(document.getElementById('results').textContent);
const run = results.run;
const backends = run.backends;
const first = backends[0];
// Okabe and Ito's colours, which the colour-blind can tell apart; shapes and
// dashes say the same again.
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#000000', '#e69f00', '#56b4e9',
                 '#7f7f7f', '#8c564b'];
const symbols = ['circle', 'square', 'diamond', 'triangle-up', 'x', 'cross', 'star', 'pentagon',
                 'triangle-down'];
const dashes = ['solid', 'dash', 'dot', 'dashdot', 'longdash', 'dash', 'dot', 'dashdot', 'longdash'];

// ---- helpers ----------------------------------------------------------------

const byId = id => document.getElementById(id);

/** An element with attributes and children; strings become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function show(id, ...children) { byId(id).replaceChildren(...children); }

const unique = values => [...new Set(values)];

/** Three or four digits that a reader can use. */
function number(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return '';
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2);
  return Number(value.toPrecision(size >= 1000 ? 5 : 4)).toLocaleString('en', {maximumFractionDigits: 6});
}

function time(us) {
  if (us === undefined) return '';
  return us < 1e3 ? `${number(us)} µs` : us < 1e6 ? `${number(us / 1e3)} ms` : `${number(us / 1e6)} s`;
}

const ratio = value => value === undefined ? '' : `${value.toFixed(2)}x`;

/** A table; cells are text, elements, or {text, class}. */
function table(header, rows) {
  const cell = (tag, content) => {
    const plain = typeof content !== 'object' || content instanceof Node;
    return plain ? make(tag, {}, content) : make(tag, {class: content.class}, content.text);
  };
  return make('table', {},
    make('thead', {}, make('tr', {}, ...header.map(text => cell('th', text)))),
    make('tbody', {}, ...rows.map(row => make('tr', {}, ...row.map(text => cell('td', text))))));
}

const right = text => ({text, class: 'number'});

// ---- the cases --------------------------------------------------------------

/** A case as the page uses it: with its shape taken apart. */
function readCase(item) {
  const parts = item.shape.slice(1, -1).split(',');
  const [batch, heads, queries, kvHeads, keys] = parts.map(Number);
  return {...item, batch, queries, keys, dim: parts[5], heads: `${heads},${kvHeads}`,
          length: queries === keys || queries === 1 ? `${keys}` : `${queries} x ${keys}`,
          unmasked: item.all_pairs && item.unmasked_pairs !== undefined ? item.unmasked_pairs / item.all_pairs : undefined};
}

const cases = results.cases.map(readCase);
/** What a length is: that of both, or of decoding's keys. */
const decoding = cases.length > 0 && cases.every(c => c.queries === 1);
const lengthTitle = decoding ? 'keys' : cases.some(c => c.queries !== c.keys) ? 'queries x keys' : 'length';
const passes = cases.some(c => backends.some(b => c.backends[b].backward)) ?
  ['forward', 'backward'] : ['forward'];

/** What a backend did in a pass; an empty object if it was not asked. */
const outcome = (c, backend, pass) =>
  pass === 'forward' ? c.backends[backend] : c.backends[backend].backward ?? {};

/** Whether a backend took any case; the tables have no columns for those that did not. */
const refusals = ['unavailable', 'unsupported', 'out of memory', 'skipped', 'not run'];
const isShown = (backend, pass) => (backend === first && pass === 'forward') || cases.some(c => {
  const status = outcome(c, backend, pass).status;
  return status && !refusals.includes(status);
});

const statusText = o => o.status === 'wrong' || o.status === 'failed' ?
  o.status.toUpperCase() : o.status ?? '';

// ---- choices ----------------------------------------------------------------

/**
 * Fills a form with one selection for each axis that has more than one value,
 * and calls `draw` with the chosen values now and after each change.
 */
function choices(id, axes, draw) {
  const form = byId(id);
  const chosen = {};
  const update = () => draw(chosen);
  for (const {name, label, values, initial} of axes) {
    chosen[name] = initial ?? values[0];
    if (values.length < 2) continue;
    const select = make('select', {}, ...values.map(value =>
      make('option', value === chosen[name] ? {selected: ''} : {}, `${value}`)));
    select.addEventListener('change', () => {
      chosen[name] = values[select.selectedIndex];
      update();
    });
    form.append(make('label', {}, `${label} `, select));
  }
  form.addEventListener('submit', event => event.preventDefault());
  update();
}

/** An axis of the cases; it starts with the value that most timed cases have. */
function axis(name, label) {
  const values = unique(cases.map(c => c[name]));
  const count = value =>
    cases.filter(c => c[name] === value && c.backends[first].status === 'timed').length;
  const initial = values.reduce((best, value) => count(value) > count(best) ? value : best, values[0]);
  return {name, label, values, initial};
}

const matches = (c, chosen, names) => names.every(name => c[name] === chosen[name]);

// ---- plots ------------------------------------------------------------------

const font = {family: 'system-ui, "DejaVu Sans", sans-serif', size: 12, color: '#1b1f24'};
const plotOptions = {responsive: true, displaylogo: false,
                     modeBarButtonsToRemove: ['lasso2d', 'select2d', 'autoScale2d']};

function plot(element, data, layout, buttons = true) {
  Plotly.react(element, data, {font, paper_bgcolor: '#fff', plot_bgcolor: '#fff',
    hoverlabel: {font: {size: 12}, align: 'left'}, ...layout}, {...plotOptions, displayModeBar: buttons && 'hover'});
}

const ruled = {gridcolor: '#e6eaee', linecolor: '#8c959f', ticks: 'outside', tickcolor: '#8c959f',
               zeroline: false};

/** A logarithmic axis with a few plain numbers on it. */
function logarithmic(low, high) {
  return {type: 'log', range: [Math.log10(low), Math.log10(high)], exponentformat: 'none', tickformat: '~r',
          dtick: high / low > 1000 ? 1 : high / low > 8 ? 'D2' : 'D1'};
}

function style(backend) {
  const i = backends.indexOf(backend) % colours.length;
  return {colour: colours[i], symbol: symbols[i], dash: dashes[i], width: i === 0 ? 3 : 1.8};
}

/** A key of the backends that have a time, drawn as the plots draw them. */
function legend(shown) {
  const marks = shown.map(backend => {
    const {colour, dash, width} = style(backend);
    const pattern = {solid: '', dash: '7 4', dot: '2 3', dashdot: '7 3 2 3', longdash: '12 4'}[dash];
    const entry = make('span');
    entry.innerHTML = `<svg width="36" height="12" aria-hidden="true"><line x1="0" y1="6" x2="36"
      y2="6" stroke="${colour}" stroke-width="${width}" stroke-dasharray="${pattern}"/></svg>`;
    entry.append(backend);
    return entry;
  });
  return make('div', {class: 'legend'}, ...marks);
}

/** Rates in a unit in which this device's have few digits. */
const pickUnit = (largest, unit) => largest >= 1e12 ? {scale: 1e12, name: `T${unit}`} : {scale: 1e9, name: `G${unit}`};
const outcomes = cases.flatMap(c => backends.flatMap(b => passes.map(p => outcome(c, b, p))));
const flopUnit = pickUnit(Math.max(...outcomes.map(o => o.flops ?? 0), ...Object.values(run.ceilings.gemm_flops)), 'FLOP/s');
/** Bytes per second of a stream that only reads; of a copy, where runs did not measure that. */
const readRate = run.ceilings.read_bytes_per_second || run.ceilings.copy_bytes_per_second;
const byteUnit = pickUnit(readRate || Math.max(...outcomes.map(o => o.bytes_per_second ?? 0)), 'B/s');
const flops = o => o.flops && o.flops / flopUnit.scale;
const bytes = o => o.bytes_per_second && o.bytes_per_second / byteUnit.scale;
const shareOfRead = o => readRate && o.bytes_per_second && 100 * o.bytes_per_second / readRate;
const withUnit = (value, unit) => `${number(value / unit.scale)} ${unit.name}`;

const percent = share => share ? `${share.toFixed(1)}%` : '';

/** What a rate would be at the ends of the time's interval, as distances. */
const rateMeasure = of => ({of, low: o => of(o) * (1 - o.median_us / o.high_us), high: o => of(o) * (o.median_us / o.low_us - 1)});

const measures = {
  [flopUnit.name]: rateMeasure(flops),
  [byteUnit.name]: rateMeasure(bytes),
  ...(readRate ? {'% of the read rate': rateMeasure(shareOfRead)} : {}),
  'time (µs)': {of: o => o.median_us, low: o => o.median_us - o.low_us, high: o => o.high_us - o.median_us},
};

/** One line of the throughput plot. */
function throughputTrace(backend, points, pass, measure) {
  const {colour, symbol, dash, width} = style(backend);
  const own = points.map(c => outcome(c, backend, pass));
  return {
    type: 'scatter', mode: 'lines+markers', name: backend, showlegend: false,
    x: points.map(c => c.length), y: own.map(measure.of),
    error_y: {type: 'data', symmetric: false, array: own.map(measure.high),
              arrayminus: own.map(measure.low), thickness: 1.2, width: 3, color: colour},
    line: {color: colour, dash, width}, marker: {color: colour, symbol, size: 7},
    text: own.map(o => `${backend}: ${number(measure.of(o))}<br>${time(o.median_us)} ` +
      `(${time(o.low_us)} to ${time(o.high_us)})<br>${o.sample_count} samples`),
    hovertemplate: '%{text}<extra></extra>',
  };
}

function drawThroughput(chosen) {
  const fixed = ['dtype', 'batch', 'heads', 'dim'];
  const selected = cases.filter(c => matches(c, chosen, fixed));
  const measure = measures[chosen.measure];
  const hasValue = (c, b) => measure.of(outcome(c, b, chosen.pass)) > 0;
  const shown = backends.filter(b => selected.some(c => hasValue(c, b)));
  if (!shown.length) {
    show('throughput', make('p', {class: 'empty'}, 'No backend has a time for this choice.'));
    return;
  }
  const lengths = unique(selected.map(c => c.length));
  const values = selected.flatMap(c => shown.filter(b => hasValue(c, b)).map(b => measure.of(outcome(c, b, chosen.pass))));
  const smallest = Math.min(...values), largest = Math.max(...values);
  const grid = make('div', {class: 'grid'});
  show('throughput', legend(shown), grid);
  for (const pattern of unique(selected.map(c => c.attn_type))) {
    const element = make('div');
    grid.append(element);
    const points = selected.filter(c => c.attn_type === pattern);
    plot(element, shown.map(b => throughputTrace(b, points.filter(c => hasValue(c, b)), chosen.pass, measure)), {
      title: {text: pattern, font: {size: 14}, x: 0.02, xanchor: 'left'},
      margin: {l: 56, r: 12, t: 34, b: 44},
      xaxis: {...ruled, type: 'category', categoryorder: 'array', categoryarray: lengths,
              range: [-0.3, lengths.length - 0.7], title: {text: lengthTitle, standoff: 6}},
      yaxis: {...ruled, title: {text: chosen.measure, standoff: 6},
              ...(chosen.measure.startsWith('time') ? logarithmic(smallest / 1.5, largest * 1.5) : {range: [0, largest * 1.08]})},
    }, /*buttons=*/ false);
  }
}

/** Blue where the first backend is faster, orange where it is slower. */
const diverging = [[0, '#a34700'], [0.25, '#f0a860'], [0.5, '#f7f7f7'], [0.75, '#7fb8dc'], [1, '#005a8c']];

function drawMap(chosen) {
  const selected = cases.filter(c => matches(c, chosen, ['dtype', 'batch', 'heads']));
  const label = c => `${c.attn_type}, D ${c.dim}`;
  const columns = unique(selected.map(c => c.length)), lines = unique(selected.map(label));
  const at = (line, column) => selected.find(c => label(c) === line && c.length === column);
  const cell = read => lines.map(line => columns.map(column => read(at(line, column))));
  const speed = c => c && outcome(c, chosen.backend, chosen.pass).speedup_of_first;
  const z = cell(c => speed(c) ? Math.log2(speed(c)) : null);
  // Beyond four times the colour says no more: else one extreme would pale all others.
  const limit = Math.min(2, Math.max(1, ...z.flat().map(value => Math.abs(value ?? 0))));
  const word = c => {
    if (!c) return '';
    const own = outcome(c, first, chosen.pass), peer = outcome(c, chosen.backend, chosen.pass);
    return speed(c) ? ratio(speed(c)) : statusText(own.median_us ? peer : own);
  };
  const ticks = [-limit, -limit / 2, 0, limit / 2, limit];
  const tickText = t => (Math.abs(t) === 2 ? (t < 0 ? '≤ ' : '≥ ') : '') + ratio(2 ** t);
  const height = 110 + 26 * lines.length;
  byId('map').style.height = `${height}px`;
  plot(byId('map'), [{
    type: 'heatmap', x: columns, y: lines, z, zmin: -limit, zmax: limit, colorscale: diverging,
    xgap: 2, ygap: 2, text: cell(word), texttemplate: '%{text}', hoverinfo: 'text', hoverongaps: true,
    hovertext: cell(c => c ? `${c.attn_type} ${c.dtype} ${c.shape}<br>${first}: ` +
      `${time(outcome(c, first, chosen.pass).median_us) || statusText(outcome(c, first, chosen.pass))}<br>` +
      `${chosen.backend}: ${time(outcome(c, chosen.backend, chosen.pass).median_us) ||
        statusText(outcome(c, chosen.backend, chosen.pass))}` : ''),
    colorbar: {tickvals: ticks, ticktext: ticks.map(tickText), len: 1, thickness: 14, outlinewidth: 0},
  }], {
    height,
    margin: {l: 12, r: 12, t: 30, b: 50},
    xaxis: {type: 'category', side: 'bottom', title: {text: lengthTitle, standoff: 6}, showgrid: false},
    yaxis: {type: 'category', automargin: true, autorange: 'reversed', showgrid: false},
  });
}

function drawRoofline(chosen) {
  // A processor computes in f32, whatever the tensors are.
  const peakType = run.target === 'cpu' ? 'f32' : chosen.dtype;
  const peak = run.ceilings.gemm_flops[peakType];
  const selected = cases.filter(c => c.dtype === chosen.dtype && c.bytes_moved);
  const intensity = c => c.unmasked_pairs * c.flops_per_pair / c.bytes_moved;
  const timed = b => selected.filter(c => c.backends[b].flops > 0);
  const xs = backends.flatMap(b => timed(b).map(intensity));
  byId('roofline-text').textContent = 'Operations for each byte that must move, against the rate. ' +
    'The roof is what this device did in this run: ' +
    (peak ? `${withUnit(peak, flopUnit)} in a matrix product in ${peakType}` : `no matrix product in ${peakType}`) +
    (readRate ? `, ${withUnit(readRate, byteUnit)} in a stream of reads.` : ', no stream of reads.');
  if (!xs.length) {
    show('roofline', make('p', {class: 'empty'}, 'No case of this type has a time.'));
    return;
  }
  // Wide enough to show where the roof bends.
  const bend = peak && readRate ? peak / readRate : xs[0];
  const low = Math.min(...xs, bend) / 2, high = Math.max(...xs, bend) * 2;
  const traces = backends.filter(b => timed(b).length).map(b => {
    const {colour, symbol} = style(b);
    return {type: 'scatter', mode: 'markers', name: b, x: timed(b).map(intensity),
            y: timed(b).map(c => flops(c.backends[b])),
            marker: {color: colour, symbol, size: 8, opacity: 0.75, line: {color: '#fff', width: 0.5}},
            text: timed(b).map(c => `${b}: ${c.attn_type} ${c.dtype} ${c.shape}<br>` +
              `${withUnit(c.backends[b].flops, flopUnit)}, ${withUnit(c.backends[b].bytes_per_second, byteUnit)}`),
            hovertemplate: '%{text}<extra></extra>'};
  });
  if (readRate) {
    const roof = [low, bend, high];
    traces.push({type: 'scatter', mode: 'lines', name: 'measured ceilings', x: roof,
                 y: roof.map(x => Math.min(x * readRate, peak || Infinity) / flopUnit.scale),
                 line: {color: '#57606a', width: 2}, hoverinfo: 'skip'});
  }
  const ys = traces.flatMap(trace => trace.y);
  byId('roofline').style.height = '27rem';
  plot(byId('roofline'), traces, {
    margin: {l: 64, r: 12, t: 12, b: 50}, legend: {orientation: 'h', y: 1.08},
    xaxis: {...ruled, ...logarithmic(low, high), title: {text: 'FLOP / byte'}},
    yaxis: {...ruled, ...logarithmic(Math.min(...ys) / 1.5, Math.max(...ys) * 1.5), title: {text: flopUnit.name}},
  });
}

function drawPlots() {
  for (const section of document.querySelectorAll('.plots')) section.hidden = !window.Plotly || !cases.length;
  if (!window.Plotly || !cases.length) return;
  const pass = {name: 'pass', label: 'pass', values: passes};
  choices('throughput-choice', [
    {name: 'measure', label: 'show', values: Object.keys(measures), initial: decoding ? byteUnit.name : flopUnit.name},
    pass, axis('dtype', 'type'), axis('batch', 'batch'), axis('heads', 'heads'), axis('dim', 'head dimension'),
  ], drawThroughput);
  const peers = backends.slice(1);
  const map = byId('map').closest('section');
  map.hidden = !peers.length;
  if (peers.length) {
    const count = b => cases.filter(c => c.backends[b].speedup_of_first).length;
    const initial = peers.reduce((best, b) => count(b) > count(best) ? b : best, peers[0]);
    choices('map-choice', [
      {name: 'backend', label: 'against', values: peers, initial}, pass,
      axis('dtype', 'type'), axis('batch', 'batch'), axis('heads', 'heads'),
    ], drawMap);
  }
  choices('roofline-choice', [axis('dtype', 'type')], drawRoofline);
}

// ---- tables -----------------------------------------------------------------

function drawHead() {
  document.title = `attn-bench: ${run.device}`;
  byId('device').textContent = run.device;
  byId('subtitle').textContent = `${run.started.replace('T', ' ').replace('Z', ' UTC')}, attn ${run.version}` +
    ` (${run.commit}); ${first} against ${backends.slice(1).join(', ') || 'nothing'}`;
  for (const span of document.querySelectorAll('.first')) span.textContent = first;
}

function drawTiles() {
  const count = status => outcomes.filter(o => o.status === status).length;
  const tile = (value, text, kind = '') => make('div', {class: `tile ${kind}`}, make('b', {}, `${value}`), text);
  const faults = count('wrong') + count('failed');
  show('tiles',
    tile(results.complete ? cases.length : `${cases.length} of ${run.case_count}`, 'cases'),
    tile(count('timed') + count('unchecked'), 'measurements'),
    tile(faults, 'wrong or failed', faults ? 'fault' : ''),
    tile(count('unsupported') + count('unavailable'), 'not possible'),
    tile(count('out of memory') + count('skipped'), 'too large or skipped'));
  const notes = [];
  if (!results.complete) notes.push('This run was interrupted: some cases are missing.');
  for (const b of backends.filter(b => !isShown(b, 'forward'))) notes.push(`${b} took no case: ${reasonsOf(b)}.`);
  const throttled = cases.filter(c => c.conditions.throttled).length;
  if (throttled) notes.push(`The clocks were held down during ${throttled} cases; their details say why.`);
  if (!window.Plotly) notes.push('The plots are missing: this attn-bench was built without plotly.js.');
  show('notes', ...notes.map(text => make('p', {}, text)));
}

/** Why a backend took no case, each reason once; the most frequent first. */
function reasonsOf(backend) {
  const texts = cases.map(c => outcome(c, backend, 'forward')).filter(o => o.reason)
    .map(o => `${o.status}: ${o.reason}`);
  const count = text => texts.filter(other => other === text).length;
  const sorted = unique(texts).sort((a, b) => count(b) - count(a));
  return sorted.slice(0, 3).join('; ') + (sorted.length > 3 ? '; and others' : '');
}

/** Average, geometric mean and extremes of the speed-ups over one backend. */
function summaryRow(backend, pass) {
  const found = cases.filter(c => outcome(c, backend, pass).speedup_of_first);
  if (!found.length) return null;
  const value = c => outcome(c, backend, pass).speedup_of_first;
  const sum = read => found.reduce((total, c) => total + read(value(c)), 0);
  const sorted = [...found].sort((a, b) => value(a) - value(b));
  const place = c => `${c.attn_type} ${c.dtype} ${c.shape}`;
  return [backend, pass, right(`${found.length}`), right(ratio(sum(x => x) / found.length)),
          right(ratio(Math.exp(sum(Math.log) / found.length))),
          right(ratio(value(sorted.at(-1)))), place(sorted.at(-1)), right(ratio(value(sorted[0]))), place(sorted[0])];
}

function drawSummary() {
  const rows = backends.slice(1).flatMap(b => passes.map(p => summaryRow(b, p))).filter(row => row);
  show('summary', rows.length ?
    table(['backend', 'pass', right('cases'), right('average'), right('geometric mean'), right('best'), 'at',
           right('worst'), 'at'], rows) :
    make('p', {class: 'empty'}, 'No case has a time of both.'));
}

/** The columns of the big table: a heading, the text and what to sort by. */
function caseColumns() {
  const plain = (title, name) => ({title, text: c => `${c[name]}`, key: c => c[name]});
  const columns = [plain('pattern', 'attn_type'), plain('type', 'dtype'),
    {title: '(B,Hq,M,Hkv,N,D)', text: c => c.shape, key: c => c.index},
    {title: 'unmasked', number: true, key: c => c.unmasked ?? -1,
     text: c => c.unmasked === undefined ? '' : `${(100 * c.unmasked).toFixed(1)}%`}];
  for (const pass of passes) {
    const prefix = passes.length > 1 ? (pass === 'forward' ? 'fwd ' : 'bwd ') : '';
    for (const b of backends.filter(b => isShown(b, pass)))
      columns.push({title: `${prefix}${b}`, number: true, key: c => outcome(c, b, pass).median_us ?? Infinity,
        text: c => time(outcome(c, b, pass).median_us) || statusText(outcome(c, b, pass)),
        class: c => ['wrong', 'failed'].includes(outcome(c, b, pass).status) ? 'fault' :
          outcome(c, b, pass).median_us ? '' : 'dim'});
    for (const b of backends.slice(1)) {
      const speed = c => outcome(c, b, pass).speedup_of_first;
      columns.push({title: `${prefix}over ${b}`, number: true, key: c => speed(c) ?? -1, text: c => ratio(speed(c)),
        class: c => speed(c) > 1.02 ? 'faster' : speed(c) < 0.98 ? 'slower' : ''});
    }
  }
  columns.push({title: flopUnit.name, number: true, key: c => c.backends[first].flops ?? -1,
                text: c => number(flops(c.backends[first]))});
  columns.push({title: byteUnit.name, number: true, key: c => c.backends[first].bytes_per_second ?? -1,
                text: c => number(bytes(c.backends[first]))});
  columns.push({title: 'of read', number: true, key: c => shareOfRead(c.backends[first]) ?? -1,
                text: c => percent(shareOfRead(c.backends[first]))});
  for (const name of unique(cases.flatMap(c => Object.keys(c.quantities))))
    columns.push({title: name, number: true, key: c => c.quantities[name] ?? -1, text: c => number(c.quantities[name])});
  return columns.filter(column => cases.some(c => column.text(c)));
}

/** What a click on a case shows. */
function caseDetails(c) {
  const rows = backends.flatMap(b => passes.map(pass => {
    const o = outcome(c, b, pass);
    if (!o.status) return null;
    return [b, pass, {text: statusText(o), class: ['wrong', 'failed'].includes(o.status) ? 'fault' : ''},
      right(time(o.median_us)), right(o.low_us ? `${time(o.low_us)} to ${time(o.high_us)}` : ''),
      right(time(o.median_with_launch_us)), right(time(o.median_host_us)), right(`${o.sample_count ?? ''}`), o.stopped_by ?? '',
      right(number(flops(o))), right(number(bytes(o))), right(percent(shareOfRead(o))),
      right(o.max_error === null ? 'NaN' : number(o.max_error)),
      right(o.compile_s ? time(o.compile_s * 1e6) : ''), right(o.cached_s ? time(o.cached_s * 1e6) : ''), {text: o.reason ?? '', class: 'wide'}];
  })).filter(row => row);
  const parts = [table(['backend', 'pass', 'status', right('median'), right('95% interval'), right('with launch'), right('of it the host'),
    right('samples'), 'ended by', right(flopUnit.name), right(byteUnit.name), right('of read'), right('max error'), right('compile'), right('from cache'), 'remark'], rows)];
  if (c.remark) parts.unshift(make('p', {}, c.remark));
  if (c.conditions.throttled) parts.push(make('p', {}, `Clocks held down: ${c.conditions.throttled}.`));
  const {before, after} = c.conditions;
  if (before && after)
    parts.push(make('p', {class: 'dim'}, `Clock ${before.core_mhz} to ${after.core_mhz} MHz, ` +
      `${before.celsius} to ${after.celsius} °C, ${number(before.watts)} to ${number(after.watts)} W.`));
  if (c.repeat) {
    const button = make('button', {type: 'button'}, 'Copy');
    button.addEventListener('click', () => navigator.clipboard?.writeText(c.repeat));
    parts.push(make('div', {}, make('code', {}, c.repeat), ' ', button));
  }
  return parts;
}

function drawCases() {
  const columns = caseColumns();
  const state = {column: null, ascending: true, words: []};
  const body = make('tbody');
  const headings = columns.map(column => make('th', column.number ? {class: 'number'} : {}, column.title));
  const haystack = c => `${c.attn_type} ${c.dtype} ${c.shape} ${c.remark} ` +
    backends.map(b => `${b} ${c.backends[b].status} ${c.backends[b].reason}`).join(' ');
  const caseRow = c => {
    const row = make('tr', {class: 'case', tabindex: '0'}, ...columns.map(column =>
      make('td', {class: `${column.number ? 'number' : ''} ${column.class?.(c) ?? ''}`}, column.text(c))));
    const toggle = () => {
      if (row.nextSibling?.className === 'details') row.nextSibling.remove();
      else row.after(make('tr', {class: 'details'}, make('td', {colspan: `${columns.length}`},
        make('div', {class: 'inner'}, ...caseDetails(c)))));
    };
    row.addEventListener('click', toggle);
    row.addEventListener('keydown', event => { if (event.key === 'Enter') toggle(); });
    return row;
  };
  const draw = () => {
    let shown = cases.filter(c => state.words.every(word => haystack(c).toLowerCase().includes(word)));
    if (state.column) {
      const key = state.column.key, sign = state.ascending ? 1 : -1;
      shown = [...shown].sort((a, b) => sign * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    }
    body.replaceChildren(...shown.map(caseRow));
  };
  headings.forEach((heading, i) => heading.addEventListener('click', () => {
    state.ascending = state.column === columns[i] ? !state.ascending : true;
    state.column = columns[i];
    for (const other of headings) other.removeAttribute('aria-sort');
    heading.setAttribute('aria-sort', state.ascending ? 'ascending' : 'descending');
    draw();
  }));
  byId('filter').addEventListener('input', event => {
    state.words = event.target.value.toLowerCase().split(/\s+/).filter(word => word);
    draw();
  });
  draw();
  show('cases', make('table', {}, make('thead', {}, make('tr', {}, ...headings)), body));
}

function drawFacts() {
  const code = text => make('code', {}, text);
  const rows = [['device', run.device], ['command line', code(run.command_line)],
    ...(run.config_file ? [['configuration', code(run.config_file)]] : []),
    ['started', run.started], ['finished', results.finished], ['attn', `${run.version}, commit ${run.commit}`],
    ...Object.entries(run.facts),
    ...Object.entries(run.ceilings.gemm_flops).map(([type, rate]) =>
      [`matrix product, ${type}`, withUnit(rate, flopUnit)]),
    ...(run.ceilings.copy_bytes_per_second ?
      [['copy', `${withUnit(run.ceilings.copy_bytes_per_second, byteUnit)}, read and written`]] : []),
    ...(run.ceilings.read_bytes_per_second ?
      [['stream of reads', withUnit(run.ceilings.read_bytes_per_second, byteUnit)]] : []),
    ...(run.ceilings.empty_launch_us ? [['an empty launch', `${number(run.ceilings.empty_launch_us)} µs`]] : [])];
  const kernels = (results.kernels ?? []).map(k => [k.backend, k.of, right(`${k.compiles}`), right(time(k.seconds * 1e6))]);
  show('facts', table(['', ''], rows),
    ...(kernels.length ? [table(['backend', 'kernel', right('compiles'), right('compile')], kernels)] : []),
    make('p', {class: 'dim'}, 'Times are medians of samples that were taken in turns with the other backends. ' +
      'Every result was compared with a high-precision reference first. Operations count the unmasked pairs ' +
      'only, bytes those that must move.'));
}

drawHead();
drawTiles();
drawSummary();
drawPlots();
drawCases();
drawFacts();
