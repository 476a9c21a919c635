# embed.cmake - writes a C file with the content of files: cmake -DOUT=FILE -DIN=a;b -P embed.cmake
# Documents become the list hub_builtins, NAME.table becomes hub_NAME_table.
set(tables "")
set(entries "")
set(n 0)
foreach(file IN LISTS IN)
    get_filename_component(name "${file}" NAME_WE)
    file(READ "${file}" hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "    \\1\n" bytes "${bytes}")
    string(APPEND tables "static const unsigned char text_${n}[] = {\n${bytes}\n};\n")
    if(file MATCHES "\\.table$")
        string(APPEND tables
            "const struct hub_builtin hub_${name}_table = {\"${name}\", text_${n}, sizeof text_${n}};\n")
    else()
        string(APPEND entries "    {\"${name}\", text_${n}, sizeof text_${n}},\n")
    endif()
    math(EXPR n "${n} + 1")
endforeach()
file(WRITE "${OUT}" "#include \"hub/api/builtin.h\"\n\n${tables}
const struct hub_builtin hub_builtins[] = {\n${entries}};\nconst size_t hub_builtins_count = sizeof hub_builtins / sizeof *hub_builtins;\n")
