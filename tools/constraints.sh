#!/bin/sh
# Write constraints.txt anew:  sh tools/constraints.sh python3.11
# A fresh environment takes the newest of everything that pyproject.toml allows, and says what it took. Only torch
# keeps its pin, since notebooks are executed with it: to move on, change that line by hand first.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$1" -m venv "$scratch/venv"
"$scratch/venv/bin/python" -m pip install --quiet --upgrade pip setuptools
"$scratch/venv/bin/python" -m pip install --quiet "$(grep '^torch==' constraints.txt)" '.[test,teach,site]'
{
    echo "# The whole tested closure of attn_course[test,teach,site]: Python 3.11, Linux; made by \`make constraints\`."
    "$scratch/venv/bin/python" -m pip freeze --all | sed -e 's/+cpu$//' -e '/^attn[-_]course/d' -e '/^nvidia-/d' -e '/^cuda-/d' -e '/^triton==/d'
} >"$scratch/constraints.txt"
mv "$scratch/constraints.txt" constraints.txt
