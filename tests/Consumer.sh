#!/usr/bin/env bash
# Installs ember into a folder of its own, builds the first net from there as an outside project would (find_package,
# then pkg-config), and runs it on a little data. Also: nothing of oneDNN or nlohmann reaches the user's source.
# needs: ember
set -euo pipefail
first_net=$EMBER_SOURCE_DIR/examples/quickstart.cpp
prefix=$PWD/prefix
rm -rf prefix found configured
cmake --install "$EMBER_BUILD_DIR" --prefix "$prefix" >install.log || { cat install.log; exit 1; }
libdir=$(dirname "$(find "$prefix" -name 'libember.*' | head -n 1)")
export PKG_CONFIG_PATH=$libdir/pkgconfig
run() {  # in a folder of its own: it saves net.json there
  mkdir -p "$1.run"
  (cd "$1.run" && LD_LIBRARY_PATH=$libdir "../$2") | tee "$1.log"
  grep -q '% of the test images' "$1.log"
  test -s "$1.run/net.json"
}

echo "== find_package(ember)"
cmake -G Ninja -S "$EMBER_SOURCE_DIR/tests/consumer" -B found -DFIRST_NET="$first_net" \
  -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_BUILD_TYPE=Release >found.log || { cat found.log; exit 1; }
cmake --build found >found.log || { cat found.log; exit 1; }
run found found/first_net

echo "== pkg-config ember"
mkdir configured
read -ra flags <<<"$(pkg-config --cflags ember)"
read -ra libs <<<"$(pkg-config --libs ember)"
"$CXX" -std=c++20 ${CXXFLAGS-} "${flags[@]}" -MD -MF configured/first_net.d "$first_net" -o configured/first_net "${libs[@]}"
run configured configured/first_net

echo "== headers"
if tr ' ' '\n' <configured/first_net.d | grep -E '/(oneapi|dnnl|nlohmann|cblas|zlib|omp)[^/]*(/|\.hp*$)'; then
  echo "the headers above reach whoever includes <ember/ember.h>"
  exit 1
fi

echo "== OpenMP"
# Whatever else is installed: one OpenMP runtime, libgomp, and the OpenBLAS that uses it.
loaded=$(LD_LIBRARY_PATH=$libdir ldd configured/first_net)
grep -q 'openblas-openmp/libopenblas' <<<"$loaded" || { echo "$loaded"; exit 1; }
grep -q 'libgomp\.so' <<<"$loaded" || { echo "$loaded"; exit 1; }
! grep -E 'libomp|libiomp' <<<"$loaded"
