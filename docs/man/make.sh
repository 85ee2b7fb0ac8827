#!/bin/sh
# docs/man/make.sh FOLDER: makes the manual there, in man1 and man3
#
# Layers' pages are made from their headers (manual.awk). Each function gets a page that leads to its layer's, so that
# `man quire_alloc_pages` works.
set -eu
folder=$1
cd "$(dirname "$0")"
mkdir -p "$folder/man1" "$folder/man3"
cp ./*.1 "$folder/man1/"
cp ./*.3 "$folder/man3/"
for page in *.3.in; do
    name=${page%.in}
    awk -v headers=../../include -f manual.awk "$page" >"$folder/man3/$name"
    # Prototypes stand at the margin of displays.
    sed -n 's/^[a-z][^#(]*[ *]\(quire_[a-z0-9_]*\)(.*/\1/p' "$folder/man3/$name" |
        while read -r function; do
            echo ".so man3/$name" >"$folder/man3/$function.3"
        done
done
