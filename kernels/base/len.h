/* len.h - the number of items of an array (not of a pointer). */
#ifndef BASE_LEN_H
#define BASE_LEN_H

#define LEN(array) (sizeof(array) / sizeof *(array))

#endif
