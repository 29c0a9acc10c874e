#!/bin/sh
# The virtual environment that `make` works in:  sh tools/setup.sh .venv lab|test
# Installs only when pyproject.toml or constraints.txt changed, or the folder moved. PYTHON and TORCH_INDEX may say how.
set -eu
venv=$1 purpose=$2
case $purpose in
    lab) package=. ;;
    test) package='.[test,teach,site]' ;;
esac

say() { printf '%s\n' "$*" >&2; }

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

whole() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }  # Debian ships python3 without its venv

# The first of these that is Python 3.11 to 3.13 and can make a virtual environment.
find_python() {
    for python in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if fits "$python" && whole "$python"; then
            echo "$python"
            return
        fi
    done
    for python in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if fits "$python"; then
            say "$python has no venv module. On Debian and Ubuntu: sudo apt install $("$python" -c \
                'import sys; print("python%d.%d-venv" % sys.version_info[:2])'), then the same command again."
            return 1
        fi
    done
    found=$("${PYTHON:-python3}" --version 2>&1) || found="no ${PYTHON:-python3}"
    say "This course needs Python 3.11, 3.12 or 3.13 (found: $found)." \
        "Install one from python.org, or name yours: make lab PYTHON=/path/to/python3.12"
    return 1
}

# torch from PyPI brings gigabytes of CUDA on Linux. Without an NVIDIA driver, take torch's own CPU wheels instead,
# unless this machine's pip is configured: then its owner has decided where packages come from.
install_torch() {
    torch=$(grep '^torch==' constraints.txt)
    if [ -n "${TORCH_INDEX:-}" ]; then
        pip --no-deps "$torch" --index-url "$TORCH_INDEX"
    elif [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null && ! pip_is_configured; then
        pip --no-deps "$torch" --index-url https://download.pytorch.org/whl/cpu --retries 1 ||
            { say "torch's CPU index could not be used; taking the larger torch from PyPI." && pip --no-deps "$torch"; }
    else
        pip --no-deps "$torch"
    fi
}

pip_is_configured() {
    case "$("$venv/bin/python" -m pip config list)" in *index-url=* | *find-links=* | *no-index=*) true ;; *) false ;; esac
}

pip() { "$venv/bin/python" -m pip install --disable-pip-version-check "$@"; }

stamp="$venv/.installed-for-$purpose"
state="$(cat pyproject.toml constraints.txt | cksum) $PWD"
if fits "$venv/bin/python" && [ "$(cat "$stamp" 2>/dev/null)" = "$state" ]; then
    exit 0
fi

python=$(find_python)
fits "$venv/bin/python" || "$python" -m venv --clear "$venv"
rm -f "$venv"/.installed-for-*
say "Installing into $venv (once, some minutes): torch first,"
pip --quiet -c constraints.txt --upgrade pip
install_torch
say "then the rest."
pip --quiet -c constraints.txt -e "$package"
printf '%s' "$state" >"$stamp"
if [ "$purpose" = test ]; then
    printf '%s' "$state" >"$venv/.installed-for-lab"
fi
