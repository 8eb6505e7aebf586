#!/bin/bash
# Fills $ARTIFACTS_DIR with what becomes the layer. sam tells it no architecture: LAMBDA_PLATFORM must agree with the
# template's parameter Architecture (aarch64-manylinux_2_28 for arm64, x86_64-manylinux_2_28 for x86_64).
set -eu -o pipefail

fail() {
  echo "layers/landing: $1" >&2
  exit 2
}

# A shim of a version manager may be on PATH and still not run: ask each candidate who it is.
is_3_13() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; }
some_python() {
  for candidate in python3.13 python3 "${HOME-}"/.pyenv/versions/3.13.*/bin/python3.13; do
    if is_3_13 "$candidate"; then
      echo "$candidate"
      return
    fi
  done
}

platform="${LAMBDA_PLATFORM:-aarch64-manylinux_2_28}"
uv="${UV:-uv}"
python="${PYTHON:-$(some_python)}"
case "$platform" in
  x86_64-manylinux_* | aarch64-manylinux_*) ;;
  *) fail "LAMBDA_PLATFORM=$platform is not a Lambda platform; use aarch64-manylinux_2_28 or x86_64-manylinux_2_28" ;;
esac
command -v "$uv" >/dev/null || fail "no uv: put it on PATH, or name one by UV=/path/to/uv"
is_3_13 "$python" || fail "no CPython 3.13: put it on PATH, or name one by PYTHON=/path/to/python3.13"

into="$ARTIFACTS_DIR/python"
"$uv" pip install --quiet --require-hashes -r requirements.txt --target "$into" --python "$python" \
  --python-version 3.13 --python-platform "$platform" --only-binary :all: --no-compile
cp -r landing "$into/"
# What installers note about themselves differs from machine to machine, and no Lambda runs a script.
rm -rf "$into/bin" "$into/.lock"
find "$into" \( -name __pycache__ -o -path '*.dist-info/RECORD' -o -path '*.dist-info/INSTALLER' \
  -o -path '*.dist-info/REQUESTED' -o -path '*.dist-info/direct_url.json' -o -path '*.dist-info/uv_cache.json' \) \
  -prune -exec rm -rf {} +
# Bytecode that is never checked against a timestamp: archives forget those, and then every cold start compiles.
"$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$ARTIFACTS_DIR" -p /opt "$into"
