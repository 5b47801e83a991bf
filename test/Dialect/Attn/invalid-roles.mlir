// RUN: attn-opt %s --split-input-file --verify-diagnostics

// expected-error @+2 {{expects a role, got 'querry'}}
// expected-error @+1 {{failed to parse Attn_RoleAttr parameter 'role'}}
func.func private @name(%q: index {attn.role = #attn.role<querry>})

// -----

// expected-error @+1 {{expects 'of' with a role that has memory for a tensor map, and for nothing else}}
func.func private @no_memory(%q: index {attn.role = #attn.role<tensor_map>})

// -----

// expected-error @+1 {{expects 'of' with a role that has memory for a tensor map, and for nothing else}}
func.func private @no_map(%q: index {attn.role = #attn.role<key of <query> rows 3>})

// -----

// expected-error @+1 {{expects 'rows' from 1 to 256 for a tensor map, and for nothing else}}
func.func private @rows(%q: index {attn.role = #attn.role<tensor_map of <query> rows 257>})

// -----

// expected-error @+1 {{expects a 'number', which is not negative, for captures and workspaces only, got 2}}
func.func private @number(%q: index {attn.role = #attn.role<key number 2>})

// -----

// expected-error @+1 {{expects a 'number', which is not negative, for captures and workspaces only, got -1}}
func.func private @negative(%q: index {attn.role = #attn.role<capture number -1>})

// -----

// expected-error @+1 {{expects 'attn.role' to be a role of a function's argument}}
func.func private @kind(%q: index {attn.role = "query"})

// -----

// expected-error @+1 {{has an unknown argument attribute 'attn.rule'}}
func.func private @unknown(%q: index {attn.rule = #attn.role<query>})

// -----

// expected-error @+1 {{has two arguments with the role #attn.role<query>}}
func.func private @twice(%q: index {attn.role = #attn.role<query>}, %r: index {attn.role = #attn.role<query>})

// -----

// expected-error @+1 {{expects as many roles as types, got 2 and 1}}
func.func private @lengths(%q: index) attributes {attn.signature = #attn.signature<[<query>, <key>], [index]>}

// -----

// expected-error @+1 {{expects 'attn.signature' to be a function's signature}}
func.func private @signature() attributes {attn.signature}

// -----

// expected-error @+1 {{expects 'attn.task_count' to be the name of the function that counts a function's tasks}}
func.func private @tasks() attributes {attn.task_count = 3 : i64}

// -----

// expected-error @+1 {{expects 'attn.shared_bytes' to be a number of bytes (i64) of a function}}
func.func private @bytes() attributes {attn.shared_bytes = -1 : i64}

// -----

// expected-error @+1 {{expects 'attn.schedule' to be a function's schedule}}
module attributes {attn.schedule = #attn.schedule<tiling = <q = 64, kv = 64>>} {}

// -----

// expected-error @+1 {{expects 'attn.kernel' to be a function's mark}}
func.func private @kernel() attributes {attn.kernel = 1}
