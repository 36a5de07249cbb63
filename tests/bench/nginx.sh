#!/usr/bin/env bash
# What a page costs that passes through fanin, against nginx passing the same bytes: processor time
# of the server per reply, in one run, as ratios. Needs nginx and wrk (Debian: nginx-light wrk), and
# `cargo build --release` before. All traffic stays on loopback; all of it ends after about a minute.
#
#   tests/bench/nginx.sh [SECONDS_A_CASE [RUNS]]
#
# One nginx serves the pages as files. A second one proxies them, once as `proxy_pass` does by
# itself and once with its connections to the first kept, as fanin keeps its own. wrk asks over two
# connections. Processor time is that of the kernel's scheduler (schedstat), in nanoseconds; each
# case runs RUNS times, taking turns, and the least is taken: other work on the machine only adds.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-2} runs=${2:-3}
fanin=${FANIN:-target/release/fanin}
# shellcheck source=tests/bench/load.sh
. tests/bench/load.sh
files=$(port) plain=$(port) own=$(port)

role files "server { listen 127.0.0.1:$files; root $work/pages; }"
role plain "upstream kept { server 127.0.0.1:$files; keepalive 8; }
    server { listen 127.0.0.1:$plain;
        location /kept/ { proxy_pass http://kept/; proxy_http_version 1.1; proxy_set_header Connection \"\"; }
        location / { proxy_pass http://127.0.0.1:$files; } }"
cat > "$work/fanin.yaml" <<YAML
servers:
  - listen: tcp://127.0.0.1:$own
    routes:
      /proxy: {proxy: [node, large, node_unread, large_unread]}
      /merge: {merge: {sources: [node, node_b, node_c], forward_params: true}}
sources:
$(page_sources)
limits: {memory: 64MiB, body: 16MiB}
YAML
serve fanin "$fanin"
fanin_pid=$!
for at in "$files/node" "$plain/node" "$own/-/healthy"; do up "$at"; done
nginx_pid=$(pgrep -P "$(cat "$work/plain.pid")")

cases=(
    "nginx_node $nginx_pid http://127.0.0.1:$plain/node"
    "nginx_node_kept $nginx_pid http://127.0.0.1:$plain/kept/node"
    "nginx_large $nginx_pid http://127.0.0.1:$plain/large"
    "nginx_large_kept $nginx_pid http://127.0.0.1:$plain/kept/large"
    "nginx_three $nginx_pid http://127.0.0.1:$plain/three"
    "nginx_three_kept $nginx_pid http://127.0.0.1:$plain/kept/three"
    "unread_node $fanin_pid http://127.0.0.1:$own/proxy?module=node_unread"
    "unread_large $fanin_pid http://127.0.0.1:$own/proxy?module=large_unread"
    "checked_node $fanin_pid http://127.0.0.1:$own/proxy?module=node"
    "checked_large $fanin_pid http://127.0.0.1:$own/proxy?module=large"
    "merged $fanin_pid http://127.0.0.1:$own/merge"
)
run_cases

row() { # WHAT BYTES FANIN NGINX
    printf '| %s | %s | %s | %s | %s | **%s** | %s |\n' "$1" "$2" "${least[$3]}" "${least[$4]}" "${least[$4_kept]}" "$(ratio "$3" "$4")" "$(ratio "$3" "$4_kept")"
}
echo "$(nginx -v 2>&1), $(processor)"
echo
echo '| a reply of | bytes | fanin, µs | nginx, µs | nginx, connections kept, µs | fanin / nginx | fanin / nginx, kept |'
echo '|---|---|---|---|---|---|---|'
row 'node_exporter, unverified' "$(bytes node)" unread_node nginx_node
row '5 MB, unverified' "$(bytes large)" unread_large nginx_large
row 'node_exporter, verified' "$(bytes node)" checked_node nginx_node
row '5 MB, verified' "$(bytes large)" checked_large nginx_large
row 'three node_exporters, merged' "$(bytes three)" merged nginx_three
