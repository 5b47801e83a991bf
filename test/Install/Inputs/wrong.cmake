# What find_package(attn) says of what is not there: cmake -DPREFIX= -DWANTED= -P
set(CMAKE_FIND_PACKAGE_NAME attn)
list(APPEND CMAKE_PREFIX_PATH ${PREFIX})
find_package(attn ${WANTED})
