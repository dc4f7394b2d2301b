"""Java servers: class path, flags, logging."""

LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="warn">
  <Appenders>
    <Console name="console"><PatternLayout pattern="%d{{HH:mm:ss.SSS}} %-5level %logger{{1}} %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="{level}"><AppenderRef ref="console"/></Root>
  </Loggers>
</Configuration>
"""


def java(jars, folder, heap_mib, log_level, *flags):
    """The start of a Java command line with every jar of the folder `jars`; its log4j configuration goes to `folder`."""
    log4j = folder / "log4j2.xml"
    log4j.write_text(LOG4J.format(level=log_level))
    return [
        "java",
        "-XX:+UseSerialGC",
        f"-Xmx{heap_mib}m",
        f"-Dlog4j2.configurationFile={log4j}",
        *flags,
        "-cp",
        f"{jars}/*",
    ]
