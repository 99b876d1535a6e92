#!/usr/bin/env bash
# The layers' arrows point down only, core <- autograd <- nn <- optim <- examples, read off the #include lines; and what
# <ember/ember.h> includes, directly or not, is installed and free of private dependencies.
# needs: nothing
set -euo pipefail
cd "$EMBER_SOURCE_DIR"
status=0
complain() { echo "$*"; status=1; }

# ---- 1. each layer includes itself and those below it
layers=(core autograd nn optim examples)
for i in "${!layers[@]}"; do
  for above in "${layers[@]:i+1}"; do
    for spelling in "ember/$above/" "$above/" "\.\./$above/" ; do
      if hits=$(grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]$spelling" "${layers[i]}" 2>/dev/null); then
        complain "${layers[i]} includes $above, which is above it:"$'\n'"$hits"
      fi
    done
  done
  if [[ ${layers[i]} != optim && ${layers[i]} != examples ]] &&
     hits=$(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]ember/ember\.h' "${layers[i]}" 2>/dev/null); then
    complain "${layers[i]} includes ember.h, which is optim's:"$'\n'"$hits"
  fi
done

# ---- 2. our own headers are included as <ember/...>, never by a relative path
if hits=$(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"\.\.?/' core autograd nn optim examples 2>/dev/null); then
  complain "relative includes:"$'\n'"$hits"
fi

# ---- 3. oneDNN and BLAS are core's, OpenMP is core/Threads'
if hits=$(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"](oneapi|dnnl|cblas)' autograd nn optim examples 2>/dev/null); then
  complain "only core/kernels calls oneDNN and BLAS:"$'\n'"$hits"
fi
if hits=$(grep -rnE '#[[:space:]]*pragma[[:space:]]+omp|<omp\.h>|\b(GOMP|omp)_[a-z_]+\(' core autograd nn optim 2>/dev/null |
    grep -v '^core/Threads\.'); then
  complain "OpenMP appears outside of core/Threads:"$'\n'"$hits"
fi

# ---- 4. what ember.h reaches
declare -A seen=()
queue=(optim/ember.h)
while ((${#queue[@]})); do
  header=${queue[0]}
  queue=("${queue[@]:1}")
  [[ -z ${seen[$header]-} ]] || continue
  seen[$header]=1
  if [[ ! -e $header ]]; then
    complain "$header is included but does not exist"
    continue
  fi
  [[ $header != core/kernels/onednn/* ]] || complain "ember.h reaches $header, which is not installed"
  if hits=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"](oneapi|dnnl|nlohmann|cblas|zlib|omp\.h|doctest|CLI)' "$header"); then
    complain "ember.h reaches $header, which includes a private dependency: $hits"
  fi
  while IFS= read -r next; do
    case $next in
      '<ember/ember.h>') queue+=(optim/ember.h) ;;
      '<ember/'*) next=${next#<ember/}; queue+=("${next%>}") ;;
      '"'*) next=${next//\"/}; queue+=("$(dirname "$header")/$next") ;;
    esac
  done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*([<"][^>"]*[>"]).*/\1/p' "$header")
done
echo "ember.h reaches ${#seen[@]} headers of ours"
exit $status
