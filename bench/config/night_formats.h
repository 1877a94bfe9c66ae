/* night_formats.h - the formats a night is exported in: the one list, for flag, help and writers. */
#ifndef CONFIG_NIGHT_FORMATS_H
#define CONFIG_NIGHT_FORMATS_H

/*    name         text */
#define NIGHT_FORMATS(X) \
    X(csv,         "a line for each series") \
    X(markdown,    "a table") \
    X(junit,       "test results") \
    X(openmetrics, "for Prometheus")

#endif
