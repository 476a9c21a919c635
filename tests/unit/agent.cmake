# Unit tests of agent/.
set(agent_dir ${CMAKE_CURRENT_LIST_DIR})
fed_unit_test(agent_daemon_test
    SOURCES ${agent_dir}/agent_daemon_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_drift_test
    SOURCES ${agent_dir}/agent_drift_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_apply_test
    SOURCES ${agent_dir}/agent_apply_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_clash_test
    SOURCES ${agent_dir}/agent_clash_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_guard_test
    SOURCES ${agent_dir}/agent_guard_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_mixed_test
    SOURCES ${agent_dir}/agent_mixed_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_order_test
    SOURCES ${agent_dir}/agent_order_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_policy_test
    SOURCES ${agent_dir}/agent_policy_test.c LINK fed_agent fed_port_posix)
fed_unit_test(agent_removal_test
    SOURCES ${agent_dir}/agent_removal_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_policed_test
    SOURCES ${agent_dir}/agent_policed_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_wish_test
    SOURCES ${agent_dir}/agent_wish_test.c LINK fed_agent fed_port_posix)
fed_unit_test(agent_health_test
    SOURCES ${agent_dir}/agent_health_test.c LINK fed_agent fed_port_posix)
fed_unit_test(agent_remote_test
    SOURCES ${agent_dir}/agent_remote_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_rollback_test
    SOURCES ${agent_dir}/agent_rollback_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_parts_test
    SOURCES ${agent_dir}/agent_parts_test.c ${agent_dir}/agent_answers.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_kube_lazy_test SOURCES ${agent_dir}/agent_kube_lazy_test.c LINK fed_agent fed_port_posix)
fed_unit_test(agent_manual_test SOURCES ${agent_dir}/agent_manual_test.c LINK fed_agent)
fed_unit_test(agent_wait_test
    SOURCES ${agent_dir}/agent_wait_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_enroll_test
    SOURCES ${agent_dir}/agent_enroll_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix fed_port_tls)
fed_unit_test(agent_report_test
    SOURCES ${agent_dir}/agent_report_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_consent_test
    SOURCES ${agent_dir}/agent_consent_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_pods_test
    SOURCES ${agent_dir}/agent_pods_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_dial_test
    SOURCES ${agent_dir}/agent_dial_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_renew_test
    SOURCES ${agent_dir}/agent_renew_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix fed_port_tls)
fed_unit_test(agent_session_test
    SOURCES ${agent_dir}/agent_session_test.c ${agent_dir}/ports_base_dir.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_partial_test
    SOURCES ${agent_dir}/agent_partial_test.c ${agent_dir}/ports_base_dir.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_clock_test
    SOURCES ${agent_dir}/agent_clock_test.c LINK fed_agent)
fed_unit_test(agent_lossy_test
    SOURCES ${agent_dir}/agent_lossy_test.c ${agent_dir}/ports_base_dir.c
    LINK fed_agent fed_port_sqlite fed_port_posix tp::sqlite)
fed_unit_test(agent_memory_test
    SOURCES ${agent_dir}/agent_memory_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_offline_test
    SOURCES ${agent_dir}/agent_offline_test.c ${agent_dir}/agent_world.c
        ${agent_dir}/agent_world_hub.c ${agent_dir}/agent_world_kube.c
    LINK fed_agent fed_port_posix)
fed_unit_test(agent_vault_test
    SOURCES ${agent_dir}/agent_vault_test.c ${agent_dir}/ports_base_dir.c
    LINK fed_agent fed_port_sqlite fed_port_posix)
fed_unit_test(agent_scale_test
    SOURCES ${agent_dir}/agent_scale_test.c LINK fed_agent fed_port_posix)
