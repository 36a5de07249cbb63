#!/usr/bin/env bash
# What the static build costs against the one with glibc: processor time per reply, in one run, as
# ratios. Needs nginx and wrk (Debian: nginx-light wrk), and before: `cargo build --release` and
# `cross/build x86_64`. How it is measured: tests/bench/nginx.sh.
#
#   tests/bench/libc.sh [SECONDS_A_CASE [RUNS]]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-2} runs=${2:-3}
# shellcheck source=tests/bench/load.sh
. tests/bench/load.sh
files=$(port) glibc=$(port) musl=$(port)

role files "server { listen 127.0.0.1:$files; root $work/pages; }"
cp "$work/pages/node" "$work/node.prom"
for each in glibc musl; do
    cat > "$work/$each.yaml" <<YAML
servers:
  - listen: tcp://127.0.0.1:${!each}
    routes:
      /proxy: {proxy: [node, large, node_unread, large_unread, command]}
      /merge: {merge: {sources: [node, node_b, node_c], forward_params: true}}
      /files: {merge: {sources: file, forward_params: true}}
sources:
$(page_sources)
  file: {file: {path: "*.prom"}}
  command: {exec: {command: [cat, "$work/node.prom"]}}
limits: {memory: 64MiB, body: 16MiB}
YAML
done
serve glibc "${GLIBC:-target/release/fanin}"
glibc_pid=$!
serve musl "${MUSL:-dist/fanin-x86_64}"
musl_pid=$!
for at in "$files/node" "$glibc/-/healthy" "$musl/-/healthy"; do up "$at"; done

cases=()
for each in glibc musl; do
    pid=${each}_pid
    for what in node_unread large_unread node large command; do
        cases+=("${each}_$what ${!pid} http://127.0.0.1:${!each}/proxy?module=$what")
    done
    for what in merge files; do
        cases+=("${each}_$what ${!pid} http://127.0.0.1:${!each}/$what")
    done
done
run_cases

row() { # WHAT CASE
    printf '| %s | %s | %s | **%s** |\n' "$1" "${least[musl_$2]}" "${least[glibc_$2]}" "$(ratio "musl_$2" "glibc_$2")"
}
processor
echo
echo '| a reply of | static, µs | glibc, µs | static / glibc |'
echo '|---|---|---|---|'
row 'node_exporter, unverified' node_unread
row '5 MB, unverified' large_unread
row 'node_exporter, verified' node
row '5 MB, verified' large
row 'three node_exporters, merged' merge
row 'a file, merged' files
row 'a command, verified' command
for each in musl glibc; do
    pid=${each}_pid
    printf '%s: %s\n' "$each" "$(grep VmRSS "/proc/${!pid}/status" | tr -s '\t ' ' ')"
done
