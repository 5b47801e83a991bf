# with-pkg-config.sh PREFIX SOURCE PROGRAM: a C program, built as somebody would
# who knows the prefix alone.
set -eu
PKG_CONFIG_PATH=$1/lib/pkgconfig
export PKG_CONFIG_PATH
cc -std=c99 -Wall -Wextra -Werror -pedantic $(pkg-config --cflags attn) "$2" \
  $(pkg-config --libs attn) -lm -Wl,-rpath,"$1/lib" -o "$3"
pkg-config --modversion attn
ls "$(pkg-config --variable=modsdir attn)"
