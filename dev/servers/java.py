"""Java servers: class path, flags, logging."""

LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="warn">
  <Appenders>
    <Console name="console"><PatternLayout pattern="%d{{HH:mm:ss.SSS}} %-5level %logger{{1}} %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="{level}"><AppenderRef ref="console"/></Root>
    {quiet}
  </Loggers>
</Configuration>
"""


# java.util.logging, which a library or two still use.
JUL = "handlers=java.util.logging.ConsoleHandler\n.level=SEVERE\n"


def java(jars, folder, heap_mib, log_level, *flags, quiet=(), without=()):
    """The start of a Java command line with every jar of the folder `jars`; its log settings go to `folder`.

    Of the loggers named in `quiet` only errors are logged. The jars named in `without` are left out.
    """
    log4j, jul = folder / "log4j2.xml", folder / "jul.properties"
    loggers = "".join(f'<Logger name="{name}" level="error"/>' for name in quiet)
    log4j.write_text(LOG4J.format(level=log_level, quiet=loggers))
    jul.write_text(JUL)
    return [
        "java",
        "-XX:+UseSerialGC",
        f"-Xmx{heap_mib}m",
        f"-Dlog4j2.configurationFile={log4j}",
        f"-Djava.util.logging.config.file={jul}",
        *flags,
        "-cp",
        class_path(jars, without),
    ]


def class_path(jars, without=()):
    """Every jar of the folder `jars`, but those named in `without`."""
    if not without:
        return f"{jars}/*"
    return ":".join(str(path) for path in sorted(jars.glob("*.jar")) if path.name not in without)
