fed_unit_test(ports_http_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_http_test.c ${CMAKE_CURRENT_LIST_DIR}/ports_http_world.c
    LINK fed_port_http fed_port_tls fed_port_linux fed_port_posix fed_base tp::zlib)
if(CMAKE_CROSSCOMPILING)
    # Its deadlines are those of a processor, not of an emulated one; it runs by hand on the real thing.
    set_tests_properties(ports_http_test PROPERTIES LABELS emulated-too-slow)
endif()
fed_unit_test(ports_http_share_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_http_share_test.c ${CMAKE_CURRENT_LIST_DIR}/ports_http_world.c
    LINK fed_port_http fed_port_tls fed_port_linux fed_port_posix fed_base)
if(CMAKE_CROSSCOMPILING)
    set_tests_properties(ports_http_share_test PROPERTIES LABELS emulated-too-slow)
endif()
fed_unit_test(ports_http_session_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_http_session_test.c
    LINK fed_port_http fed_base tp::nghttp2)
