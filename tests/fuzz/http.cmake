foreach(protocol h1 h2)
    fed_fuzz_target(fuzz_http_${protocol}
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_${protocol}_fuzz.c ${CMAKE_CURRENT_LIST_DIR}/http_server_fuzz.c
        LINK fed_port_http fed_base)
endforeach()
fed_fuzz_target(fuzz_http_proxy SOURCES ${CMAKE_CURRENT_LIST_DIR}/http_proxy_fuzz.c LINK fed_port_http fed_base)
