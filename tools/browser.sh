#!/bin/sh
# Finds a browser, or installs one: Debian's chromium when we are root, else Playwright's own. Never fails the caller.
python=$1
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
ls "$HOME"/.cache/ms-playwright/chromium* >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing chromium by apt-get ..." >&2
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-dejavu-core >/dev/null 2>&1 && exit 0
fi
"$python" -m playwright install chromium >&2 && exit 0
echo "no browser could be installed: pages drawn by JavaScript are left out, all else works" >&2
exit 0
