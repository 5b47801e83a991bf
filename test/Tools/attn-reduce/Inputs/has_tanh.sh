#!/bin/sh
# Interesting, which is 1: a module whose attention's mod has a tanh.
grep -q 'math.tanh' "$1" && grep -q 'attn.attention' "$1" && exit 1
exit 0
