#!/bin/sh
# Starts the program with the Node.js that a release contains, or else with the one in PATH; any symbolic link to this file
# works. The flags must be there when Node.js starts: V8 may crash where they change later, and NODE_OPTIONS refuses the
# first one. Received bodies become garbage by the tens of MiB, and little else does:
#   --no-incremental-marking   marking all at once costs less than step by step
#   --max-semi-space-size=4    a larger young generation would only hold more of these bodies
set -eu
root=$(readlink -f "$0")
root=${root%/*/*}
node=$root/lib/node
[ -x "$node" ] || node=node
exec "$node" --no-incremental-marking --max-semi-space-size=4 "$root/dist/main.js" "$@"
