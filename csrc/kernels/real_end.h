/* Undefine the names of real.h, so that it can be included for the other precision. */
#undef real
#undef bits
#undef ubits
#undef NAME
#undef REAL_MAX
#undef REAL_MIN
#undef REAL_EPS
#undef LANES
#undef vec
#undef ivec
#undef KERNEL_BODY
#undef LOAD
#undef STORE
#undef ZIP_LOW
#undef ZIP_HIGH
#undef REVERSE
