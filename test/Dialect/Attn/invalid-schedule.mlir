// What is no schedule: its text, then the constraints of #attn.schedule.
// RUN: attn-opt %s --split-input-file --verify-diagnostics

// What is no field of the part; each part has its own.
// expected-error @+2 {{expects one of warps, key_warps, producers, pingpong, min_blocks, got 'stages'}}
// expected-error @+1 {{failed to parse Attn_ScheduleAttr parameter 'roles'}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <stages = 2>>

// -----

// Twice.
// expected-error @+2 {{expects 'warps' once}}
// expected-error @+1 {{failed to parse Attn_ScheduleAttr parameter 'roles'}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, warps = 4>>

// -----

// A flag has no value.
// expected-error @+2 {{expected '>'}}
// expected-error @+1 {{failed to parse Attn_ScheduleAttr parameter 'pipeline'}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, pipeline = <persistent = true>>

// -----

// A number has one.
// expected-error @+2 {{expected '='}}
// expected-error @+1 {{failed to parse Attn_ScheduleAttr parameter 'pipeline'}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, pipeline = <stages>>

// -----

// There is no usual tiling.
// expected-error @+1 {{struct is missing required parameter: tiling}}
#schedule = #attn.schedule<roles = <warps = 4>>

// -----

// schedule_c1: not a multiple of 16.
// expected-error @+1 {{expects 'q' to be a multiple of 16 from 16 to 1024, got 24}}
#schedule = #attn.schedule<tiling = <q = 24, kv = 64>>

// -----

// schedule_c1: nothing.
// expected-error @+1 {{expects 'kv' to be a multiple of 16 from 16 to 1024, got 0}}
#schedule = #attn.schedule<tiling = <q = 64>>

// -----

// schedule_c1: too large.
// expected-error @+1 {{expects 'q' to be a multiple of 16 from 16 to 1024, got 2048}}
#schedule = #attn.schedule<tiling = <q = 2048, kv = 64>>

// -----

// schedule_c3: keys are not dealt to heads.
// expected-error @+1 {{expects 'pack' to go without 'owns_keys'}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys, pack>>

// -----

// schedule_c12: TMA brings rows of one head.
// expected-error @+1 {{expects 'pack' to go without producers}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64, pack>, roles = <warps = 4, producers = 4>>

// -----

// schedule_c2
// expected-error @+1 {{expects 'cache' from 1 to 2147483647 bytes, got 0}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64, cache = 0>>

// -----

// schedule_c3: who owns queries has their gradients to himself.
// expected-error @+1 {{expects 'once' to go with 'owns_keys'}}
#schedule = #attn.schedule<tiling = <q = 128, kv = 64, once>, roles = <warps = 8, producers = 4>>

// -----

// schedule_c4: too many warps.
// expected-error @+1 {{expects 'warps' from 1 to 16, got 32}}
#schedule = #attn.schedule<tiling = <q = 512, kv = 64>, roles = <warps = 32>>

// -----

// schedule_c5: warps come in fours.
// expected-error @+1 {{expects 'producers' 0 or 4, got 2}}
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 2>>

// -----

// schedule_c5: those that compute, too.
// expected-error @+1 {{expects 'warps' to be a multiple of 4 with producers, got 6}}
#schedule = #attn.schedule<tiling = <q = 96, kv = 64>, roles = <warps = 6, producers = 4>>

// -----

// schedule_c6: two groups take turns.
// expected-error @+1 {{expects 'pingpong' to go with producers and 8 warps}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4, pingpong>>

// -----

// schedule_c6: of warps that copy for themselves there are no groups.
// expected-error @+1 {{expects 'pingpong' to go with producers and 8 warps}}
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, pingpong>>

// -----

// schedule_c7: two blocks of more threads have too few registers.
// expected-error @+1 {{expects 'min_blocks' 1, or 2 with producers and 4 warps, got 2}}
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4, min_blocks = 2>>

// -----

// schedule_c7: registers of warps that copy for themselves are ptxas's to share out.
// expected-error @+1 {{expects 'min_blocks' 1, or 2 with producers and 4 warps, got 2}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, min_blocks = 2>>

// -----

// schedule_c8: no stage.
// expected-error @+1 {{expects 'stages' from 1 to 8, got 0}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, pipeline = <stages = 0>>

// -----

// schedule_c9: a block with one task has one tile of queries.
// expected-error @+1 {{expects 'task_stages' 1, or 2 where 'persistent', got 2}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4>, pipeline = <task_stages = 2>>

// -----

// schedule_c10: without a place for the next queries there is nothing to be early for.
// expected-error @+1 {{expects 'eager' to go with 2 'task_stages'}}
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <persistent, eager>>

// -----

// schedule_c11: too few rows for each warp.
// expected-error @+1 {{expects 'q' to be a multiple of 128, 16 for each of 8 warps, got 64}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 8>>

// -----

// schedule_c11: the rows of a task that owns keys are keys.
// expected-error @+1 {{expects 'kv' to be a multiple of 64, 16 for each of 4 warps, got 32}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 32, owns_keys>, roles = <warps = 4>>

// -----

// schedule_c12: a group of four has 64 rows.
// expected-error @+1 {{expects 'producers' to go with aligned memory and 16 rows for each warp, got 128 rows for 4 warps}}
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 4, producers = 4>>

// -----

// schedule_c12: nor of keys more.
// expected-error @+1 {{expects 'producers' to go with aligned memory and 16 rows for each warp, got 128 rows for 4 warps}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 128, owns_keys>, roles = <warps = 4, producers = 4>>

// -----

// schedule_c12: TMA takes aligned rows only.
// expected-error @+1 {{expects 'producers' to go with aligned memory and 16 rows for each warp, got 128 rows for 8 warps, 'unaligned'}}
#schedule = #attn.schedule<tiling = <q = 128, kv = 64>, roles = <warps = 8, producers = 4>, pipeline = <unaligned>>

// -----

// schedule_c13: warps that copy for themselves are at most one tile ahead.
// expected-error @+1 {{expects 'stages' 1 or 2 without producers, got 3}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>, pipeline = <stages = 3>>

// -----

// schedule_c13: only a producer draws tasks.
// expected-error @+1 {{expects 'persistent', 'drain' and 'once' to go with producers}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>, pipeline = <persistent>>

// -----

// schedule_c13: only a producer's tiles have a swizzle that TMA knows.
// expected-error @+1 {{expects 'persistent', 'drain' and 'once' to go with producers}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4>, pipeline = <drain>>

// -----

// schedule_c13: only a warp that computes nothing adds to memory.
// expected-error @+1 {{expects 'persistent', 'drain' and 'once' to go with producers}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys, once>, roles = <warps = 4>>

// -----

// schedule_c14: parts of a tile of keys would be of gradients.
// expected-error @+1 {{expects 'shares' to go without 'owns_keys' and producers}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys, shares>>

// -----

// schedule_c14: the tasks of warps with roles are drawn.
// expected-error @+1 {{expects 'shares' to go without 'owns_keys' and producers}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64, shares>, roles = <warps = 4, producers = 4>>

// -----

// schedule_c14: chunks of query tiles, by warps that all copy.
// expected-error @+1 {{expects 'chunk' to go without 'owns_keys' and producers}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64, owns_keys, chunk = 2>>

// -----

// schedule_c14: one way to cut.
// expected-error @+1 {{expects 'shares' or 'chunk', got both}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64, shares, chunk = 2>>

// -----

// schedule_c14: a size.
// expected-error @+1 {{expects 'chunk' from 0 to 65536, got -1}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64, chunk = -1>>

// -----

// schedule_c15: there is something to be merged.
// expected-error @+1 {{expects 'dependent' to go with 'shares', 'chunk' or 'owns_keys', and without 'unaligned'}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, pipeline = <dependent>>

// -----

// schedule_c15: the GPUs that have it take aligned memory.
// expected-error @+1 {{expects 'dependent' to go with 'shares', 'chunk' or 'owns_keys', and without 'unaligned'}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64, shares>, pipeline = <unaligned, dependent>>

// -----

// schedule_c16: halves give each other what they have.
// expected-error @+1 {{expects 'key_warps' 1, 2, 4 or 8, got 3}}
#schedule = #attn.schedule<tiling = <q = 16, kv = 48, shares>, roles = <key_warps = 3>>

// -----

// schedule_c16: each is one warp, which has all rows.
// expected-error @+1 {{expects 'key_warps' to go with 1 warp for each, and without producers}}
#schedule = #attn.schedule<tiling = <q = 32, kv = 64, shares>, roles = <warps = 2, key_warps = 2>>

// -----

// schedule_c17: what keys are dealt for are few tasks.
// expected-error @+1 {{expects 'key_warps' to go with 'shares' or 'chunk'}}
#schedule = #attn.schedule<tiling = <q = 16, kv = 64>, roles = <key_warps = 2>>

// -----

// schedule_c17: each has as many.
// expected-error @+1 {{expects 'kv' to be a multiple of 64, 16 for each of 4 key warps, got 96}}
#schedule = #attn.schedule<tiling = <q = 16, kv = 96, shares>, roles = <key_warps = 4>>

// -----

// schedule_c18: the copies that say so are of 16 bytes.
// expected-error @+1 {{expects 'read_once' to go without 'unaligned' and producers}}
#schedule = #attn.schedule<tiling = <q = 16, kv = 64>, pipeline = <unaligned, read_once>>

// -----

// schedule_c18: and no TMA.
// expected-error @+1 {{expects 'read_once' to go without 'unaligned' and producers}}
#schedule = #attn.schedule<tiling = <q = 64, kv = 64>, roles = <warps = 4, producers = 4>, pipeline = <read_once>>
