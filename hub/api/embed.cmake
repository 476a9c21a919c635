# embed.cmake - writes a C file with the content of files: cmake -DOUT=FILE -DIN=a;b -DLIST=NAME -P embed.cmake
# Documents become the list NAME, WORD.table becomes hub_WORD_table and WORD.schema.json hub_WORD_schema.
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
    elseif(file MATCHES "\\.schema\\.json$")
        string(APPEND tables
            "const struct hub_builtin hub_${name}_schema = {\"${name}\", text_${n}, sizeof text_${n}};\n")
    else()
        string(APPEND entries "    {\"${name}\", text_${n}, sizeof text_${n}},\n")
    endif()
    math(EXPR n "${n} + 1")
endforeach()
file(WRITE "${OUT}" "#include \"hub/api/builtin.h\"\n\n${tables}
const struct hub_builtin ${LIST}[] = {\n${entries}};\nconst size_t ${LIST}_count = sizeof ${LIST} / sizeof *${LIST};\n")
