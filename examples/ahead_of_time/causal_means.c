/* Causal attention of one sequence on the CPU, compiled ahead of time:
 *
 *   attn-compile configs/mods/causal.mlir --target=cpu --type=f32 --head-dim=8 -o causal
 *   cc -std=c99 causal_means.c -I. causal.o -lattn_runtime -lstdc++ -lpthread -ldl -lm
 *
 * or by CMakeLists.txt. */
#include "causal.h"

#include <stdio.h>

enum { length = 4, channels = causal_HEAD_DIM };

static causal_tensor view(float *data) {
  causal_tensor tensor = {data, {1, 1, length, channels}, {length * channels, length * channels, channels}};
  return tensor;
}

int main(void) {
  /* Equal scores: a row of the result is the mean of the values that it sees. */
  static float query[length * channels], key[length * channels], value[length * channels], out[length * channels];
  static causal_args args;
  int code, i;
  args.size = sizeof(args), args.device = -1;
  for (i = 0; i < length; ++i)
    value[i * channels] = (float)i;
  args.query = view(query), args.key = view(key), args.value = view(value), args.out = view(out);
  code = causal_load(-1);
  if (!code)
    code = causal_forward(&args, NULL, 0, NULL);
  if (code) {
    fprintf(stderr, "%s: %s\n", causal_error_string(code), causal_error_detail());
    return 1;
  }
  for (i = 0; i < length; ++i)
    printf("%.2f\n", out[i * channels]);
  causal_unload();
  return 0;
}
