# docs/man/manual.awk: a layer's page from what is written of it by hand and from its headers
#
#     awk -v headers=FOLDER -f docs/man/manual.awk docs/man/quire-phys.3.in
#
# A line `@header quire/phys.h` becomes that header as a manual: its first comment, then each group of
# declarations with the comment that stands above it. So a page says what the header says, and nothing has
# to be written twice. A second word ends it with the declaration of that name. Bodies of inline functions and what is for the preprocessor alone are left out.

# ---- text ----------------------------------------------------------------------------------------

function escaped(text) {
    gsub(/\\/, "\\e", text)
    if (text ~ /^[.']/)
        text = "\\\\&" text
    return text
}

# A paragraph, each sentence on a line of its own, as mdoc wants it.
function paragraph(text,   sentence) {
    if (text == "")
        return
    if (!after_title)
        print ".Pp"
    after_title = 0
    while (match(text, /[.!?][)"'`]* +[A-Z0-9`("-]/)) {
        sentence = substr(text, 1, RSTART + RLENGTH - 2)
        text = substr(text, RSTART + RLENGTH - 1)
        sub(/ +$/, "", sentence)
        print escaped(sentence)
    }
    print escaped(text)
}

# Lines of a comment, without what makes it one. What is indented is shown as it stands.
function tell(lines, count,   i, literal, line, text) {
    for (i = 1; i <= count; i++) {
        line = lines[i]
        if (literal && line ~ /^ *$/ && i < count && lines[i + 1] ~ /^  /) {
            print "" # the display goes on
            continue
        }
        if (literal && line !~ /^  /) {
            print ".Ed"
            literal = 0
        }
        if (line ~ /^ *$/) {
            paragraph(text)
            text = ""
            continue
        }
        if (line ~ /^  /) {
            if (!literal) {
                paragraph(text)
                text = ""
                print ".Bd -literal -offset 2n"
                after_title = 0
                literal = 1
            }
            print escaped(line)
            continue
        }
        text = text == "" ? line : text " " line
    }
    paragraph(text)
    if (literal)
        print ".Ed"
}

# ---- declarations --------------------------------------------------------------------------------

# A prototype in lines that fit a terminal.
function wrap(text,   line, at, piece) {
    gsub(/[ \t]+/, " ", text)
    sub(/^ /, "", text)
    gsub(/QUIRE_MUST_CHECK /, "", text)
    sub(/^QUIRE_[A-Z_]*\([0-9, ]*\) /, "", text)
    sub(/^__attribute__\(\([a-z]*\([^)]*\)\)\) /, "", text)
    line = ""
    while (length(line text) > 74 && (at = index(text, ", "))) {
        piece = substr(text, 1, at + 1)
        if (length(line piece) > 74 && line ~ /[^ ]/) {
            sub(/ $/, "", line)
            print escaped(line)
            line = "    "
        }
        line = line piece
        text = substr(text, at + 2)
    }
    if (length(line text) > 74 && line ~ /[^ ]/) {
        sub(/ $/, "", line)
        print escaped(line)
        line = "    "
    }
    print escaped(line text)
}

function declare(   i, statement, depth, line, body) {
    if (!nr_code)
        return
    print ".Bd -literal"
    after_title = 0
    for (i = 1; i <= nr_code; i++) {
        line = code[i]
        if (line ~ /^}/ && body) {
            body = 0
            continue
        }
        if (body)
            continue
        if (line == "{") { # of an inline function
            sub(/^(QUIRE_MUST_CHECK )?static inline /, "", statement)
            wrap(statement ";")
            statement = ""
            body = 1
            continue
        }
        if (depth || macro || statement == "" && line ~ /^#|^\/\*|\{/) {
            print escaped(line)
            macro = line ~ /\\$/
            depth += gsub(/{/, "", line) - gsub(/}/, "", line)
            continue
        }
        statement = statement == "" ? line : statement " " line
        if (line ~ /;( *\/\*.*)?$/) {
            if (statement ~ /\/\*/)
                print escaped(statement)
            else
                wrap(statement)
            statement = ""
        }
    }
    if (statement != "")
        wrap(statement)
    print ".Ed"
    nr_code = 0
}

# What was gathered: the declarations, then what the comment says of them.
function flush() {
    declare()
    tell(said, nr_said)
    nr_said = 0
}

function header(path, last,   line, file, title, inside, first, skip, of_body) {
    file = headers "/" path
    first = 1
    while ((getline line < file) > 0) {
        if (inside) { # a comment at the margin
            if (line ~ /\*\/ *$/)
                inside = 0
            sub(/ *\*\/ *$/, "", line)
            sub(/^ \*/, "", line)
            sub(/^ /, "", line)
            if (line != "" || inside)
                said[++nr_said] = line
            if (!inside && first) {
                flush()
                first = 0
            }
            continue
        }
        if (line ~ /^\/\* ----/) {
            flush()
            title = line
            gsub(/^\/\* -+ | -+ *\*\/$/, "", title)
            print ".Ss " toupper(substr(title, 1, 1)) escaped(substr(title, 2))
            after_title = 1
            continue
        }
        if (line ~ /^\/\*/) {
            flush()
            inside = line !~ /\*\/ *$/
            sub(/^\/\* ?/, "", line)
            sub(/ *\*\/ *$/, "", line)
            if (first && line ~ /^[a-z\/_]*\.h: /) {
                sub(/^[^:]*: */, "", line)
                sub(/.*\.\.\/.*\//, "", path)
                print ".Ss <" path ">: " escaped(line)
                after_title = 1
                if (!inside)
                    first = 0
                continue
            }
            said[++nr_said] = line
            continue
        }
        if (line ~ /^#ifdef __cplusplus/) {
            skip = 1
            continue
        }
        if (skip) {
            skip = line !~ /^#endif/
            continue
        }
        if (line ~ /^#(ifn?def|if|elif|else|endif|include|error|undef)/ || line ~ /^#define QUIRE_[A-Z_]*_H$/)
            continue
        if (line ~ /^ *$/) {
            if (!of_body) {
                flush()
                if (last == "found")
                    break
            }
            continue
        }
        if (line == "{")
            of_body = 1
        if (line == "}")
            of_body = 0
        code[++nr_code] = line
        if (last && index(line, last))
            last = "found"
    }
    close(file)
    flush()
    if (first) {
        print "there is no header " file > "/dev/stderr"
        exit 1
    }
}

/^@header / { header($2, $3); next }
{ print }
