#!/usr/bin/env bash
# The GPU trial on a machine without a network: `scripts/gpu_trial.sh WHEELS [options of gpu_trial.py]`.
# WHEELS is a folder of the wheels that the machine lacks (docs/figures/training.md says how they are fetched);
# they are installed into a folder of their own. gpu.json and gpu.log lie in the folder $OUT, or here.
set -euo pipefail
wheels=$1
shift
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
if compgen -G "$wheels/*.whl" >/dev/null; then
  python3 -m pip install -q --no-index --no-deps --no-cache-dir --target "$packages" "$wheels"/*.whl
fi
out=${OUT:-.}
mkdir -p "$out"
export PYTHONPATH="$packages${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
python3 "$(dirname "$0")/gpu_trial.py" --out "$out/gpu.json" "$@" 2>&1 | tee "$out/gpu.log"
