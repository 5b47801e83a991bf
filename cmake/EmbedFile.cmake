# attn_embed_file(target NAME FILE): puts FILE into the library `target`, where
#   extern "C" const char attn_NAME[], attn_NAME_end[];
# delimit its bytes.
function(attn_embed_file target name file)
  cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/embed/${name}.cpp)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT [=[
__asm__(".section .rodata.attn_@name@,\"a\",@progbits\n"
        ".global attn_@name@\n"
        ".global attn_@name@_end\n"
        "attn_@name@:\n"
        ".incbin \"@file@\"\n"
        "attn_@name@_end:\n"
        ".byte 0\n"
        ".previous\n");
]=])
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${file})
  target_sources(${target} PRIVATE ${source})
endfunction()
