# attn_add_kernel(name MOD.mlir
#   [TARGET sm90a sm80 cpu] [TYPE bf16|f16|f32] [HEAD_DIM n] [VALUE_DIM n]
#   [LSE] [BACKWARD] [WRT captures...] [EXACT] [DETERMINISTIC] [NO_FALLBACK]
#   [QUERY_OFFSET scalar|batch] [LENGTHS] [PAGED] [RAGGED_QUERIES] [RAGGED_KEYS]
#   [INVARIANT] [CHECKED] [SCALE x] [SCHEDULE text] [MCPU name]
#   [PREFIX prefix] [PTXAS program])
#
# A library of a kernel that attn-compile makes when it is built: what links it
# may #include "name.h", and links attn::runtime. The words are those of
# attn-compile (docs/AheadOfTime.md), as are what is left out.

# The compiler: of this build, of an installed attn, or ATTN_COMPILE.
function(attn_find_compiler out)
  foreach(target attn-compile attn::attn-compile)
    if(TARGET ${target})
      set(${out} $<TARGET_FILE:${target}> ${target} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  find_program(ATTN_COMPILE attn-compile REQUIRED)
  set(${out} ${ATTN_COMPILE} PARENT_SCOPE)
endfunction()

function(attn_add_kernel name mod)
  set(flags LSE BACKWARD EXACT DETERMINISTIC NO_FALLBACK LENGTHS PAGED
            RAGGED_QUERIES RAGGED_KEYS INVARIANT CHECKED)
  set(values TYPE HEAD_DIM VALUE_DIM QUERY_OFFSET SCALE SCHEDULE MCPU PREFIX PTXAS)
  cmake_parse_arguments(PARSE_ARGV 2 ARG "${flags}" "${values}" "TARGET;WRT")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR
      "attn_add_kernel(${name}): does not know '${ARG_UNPARSED_ARGUMENTS}'")
  endif()
  if(ARG_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "attn_add_kernel(${name}): expects a value after "
      "'${ARG_KEYWORDS_MISSING_VALUES}'")
  endif()

  set(options)
  foreach(word IN LISTS flags values ITEMS TARGET WRT)
    # Values may be 0, and empty, which CMake does not tell from none.
    if(NOT word IN_LIST ARGN)
      continue()
    endif()
    string(TOLOWER ${word} option)
    string(REPLACE _ - option ${option})
    if(word STREQUAL PREFIX)
      set(option name)
    endif()
    if(word IN_LIST flags)
      list(APPEND options --${option})
    else()
      list(JOIN ARG_${word} , value)
      list(APPEND options --${option}=${value})
    endif()
  endforeach()

  attn_find_compiler(compiler)
  list(GET compiler 0 program)
  list(GET compiler -1 tool)
  cmake_path(ABSOLUTE_PATH mod BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${name}.kernel)
  set(base ${folder}/${name})
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${base}.o ${base}.h ${base}.json
    COMMAND ${program} ${mod} ${options} -o ${base}
    DEPENDS ${mod} ${tool} COMMENT "Compiling kernel ${name}" VERBATIM)
  add_library(${name} STATIC ${base}.o ${base}.h)
  set_source_files_properties(${base}.o PROPERTIES EXTERNAL_OBJECT TRUE)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_include_directories(${name} PUBLIC ${folder})
  target_link_libraries(${name} PUBLIC attn::runtime)
endfunction()
