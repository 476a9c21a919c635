fed_unit_test(cli_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/cli_test.c LINK fed_cli fed_port_kube)
fed_unit_test(cli_manual_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/cli_manual_test.c LINK fed_cli fed_port_kube)
fed_unit_test(cli_rollout_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/cli_rollout_test.c LINK fed_cli fed_port_kube)
