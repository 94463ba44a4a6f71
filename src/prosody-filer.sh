#!/bin/sh
# Starts the program with Node.js from PATH, by whatever symbolic link npm calls this. The flag has to be there when Node.js
# starts: V8 may crash where it changes later, NODE_OPTIONS refuses it, and Alpine's env knows no -S for a first line.
# Received bodies are garbage by the tens of MiB: marking it bit by bit costs more than at once, since little is alive.
set -eu
self=$(readlink -f "$0")
exec node --no-incremental-marking "${self%/src/*}/dist/main.js" "$@"
