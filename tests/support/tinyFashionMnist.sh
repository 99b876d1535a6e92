#!/usr/bin/env bash
# Writes a small Fashion-MNIST to DIR: the first 512 training and 256 test pictures of the real one.
#   tinyFashionMnist.sh DIR
set -eu
from=${EMBER_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
to=$1
mkdir -p "$to"

big_endian() { printf "\\x$(printf %02x $(($1 >> 24 & 255)))\\x$(printf %02x $(($1 >> 16 & 255)))\\x$(printf %02x $(($1 >> 8 & 255)))\\x$(printf %02x $(($1 & 255)))"; }

# cut NAME COUNT HEADER_BYTES BYTES_EACH: an IDX file is a magic number, the sizes (the count first), the bytes
cut_idx() {
  local file=$from/$1.gz
  [ -e "$file" ] || { echo "$file is missing; Debian package: dataset-fashion-mnist" >&2; exit 1; }
  {
    zcat "$file" 2>/dev/null | head -c 4
    big_endian "$2"
    zcat "$file" 2>/dev/null | head -c "$3" | tail -c "+9"
    zcat "$file" 2>/dev/null | tail -c "+$(($3 + 1))" 2>/dev/null | head -c "$(($2 * $4))"
  } | gzip -n1 >"$to/$1.gz.$$"
  mv "$to/$1.gz.$$" "$to/$1.gz"
}
cut_idx train-images-idx3-ubyte 512 16 784
cut_idx train-labels-idx1-ubyte 512 8 1
cut_idx t10k-images-idx3-ubyte 256 16 784
cut_idx t10k-labels-idx1-ubyte 256 8 1
