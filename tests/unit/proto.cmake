# Unit tests of proto/.
set(proto_dir ${CMAKE_CURRENT_LIST_DIR})
fed_unit_test(proto_base_test SOURCES ${proto_dir}/proto_base_test.c LINK fed_base)
fed_unit_test(proto_map_test SOURCES ${proto_dir}/proto_map_test.c LINK fed_base)
fed_unit_test(proto_text_test SOURCES ${proto_dir}/proto_text_test.c LINK fed_base)
fed_unit_test(proto_digest_test SOURCES ${proto_dir}/proto_digest_test.c LINK fed_digest)
fed_unit_test(proto_json_test SOURCES ${proto_dir}/proto_json_test.c LINK fed_object)
fed_unit_test(proto_json_text_test SOURCES ${proto_dir}/proto_json_text_test.c LINK fed_object)
fed_unit_test(proto_override_test SOURCES ${proto_dir}/proto_override_test.c LINK fed_object)
fed_unit_test(proto_patch_test SOURCES ${proto_dir}/proto_patch_test.c LINK fed_object)
fed_unit_test(proto_selector_test SOURCES ${proto_dir}/proto_selector_test.c LINK fed_object)
fed_unit_test(proto_render_test SOURCES ${proto_dir}/proto_render_test.c LINK fed_render)
fed_unit_test(proto_doc_test SOURCES ${proto_dir}/proto_doc_test.c LINK fed_doc)
fed_unit_test(proto_link_test SOURCES ${proto_dir}/proto_link_test.c LINK fed_link)
fed_unit_test(proto_worker_test SOURCES ${proto_dir}/proto_worker_test.c LINK fed_worker)
fed_unit_test(proto_consent_test SOURCES ${proto_dir}/proto_consent_test.c LINK fed_bundle)
fed_unit_test(proto_report_test SOURCES ${proto_dir}/proto_report_test.c LINK fed_bundle)
fed_unit_test(proto_frame_test SOURCES ${proto_dir}/proto_frame_test.c LINK fed_bundle)
fed_unit_test(proto_frame_property_test
    SOURCES ${proto_dir}/proto_frame_property_test.c LINK fed_bundle)
# The vectors of docs/protocol.md, which tests/wire/protocol/check reads too.
fed_unit_test(proto_vectors_test
    SOURCES ${proto_dir}/proto_vectors_test.c ${proto_dir}/wire_vectors.c
    LINK fed_link fed_render fed_port_tls)
fed_unit_test(proto_frame_vectors_test
    SOURCES ${proto_dir}/proto_frame_vectors_test.c ${proto_dir}/wire_vectors.c
    LINK fed_bundle fed_object)
fed_unit_test(proto_schedule_test SOURCES ${proto_dir}/proto_schedule_test.c LINK fed_schedule)
# Not a test of its own: tests/schedule/run feeds it.
fed_program(proto_schedule_driver
    SOURCES ${proto_dir}/proto_schedule_driver.c LINK fed_schedule fed_base)
