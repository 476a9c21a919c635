fed_unit_test(ports_kube_yaml_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_kube_yaml_test.c LINK fed_port_kube)
