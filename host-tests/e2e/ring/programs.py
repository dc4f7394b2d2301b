"""Builds the client programs into `.cache/e2e`, pinned by lock files and checksums, and says how to start each."""

import shutil

from ring.paths import CACHE, E2E

from dev import install, tools
from dev.children import run_with_progress
from dev.errors import DevError

JAVA = E2E / "java"
MAIN_CLASS = "isthmus.e2e.Main"
# Shows a program's screen; it runs with the interpreter of `kaskade()`.
TERMINAL = E2E / "consoles" / "terminal.py"


def python():
    """The interpreter with the Python clients and pytest; its packages are pinned by hash."""
    return install.pip_environment(CACHE / "python", E2E / "python" / "requirements.txt", "installing the Python clients")


def kaskade():
    """The interpreter with kaskade beside it, a console for a terminal."""
    return install.pip_environment(CACHE / "consoles", E2E / "consoles" / "requirements.txt", "installing a console")


def kafka_util():
    """The interpreter with kafka-util, a command line. It is an environment of its own: it wants an older `rich` than kaskade."""
    requirements = E2E / "consoles" / "kafka-util" / "requirements.txt"
    return install.pip_environment(CACHE / "kafka-util", requirements, "installing kafka-util")


def java():
    """The folder with `classes` (the command loop) and `lib` (Kafka's and Pulsar's clients)."""
    folder = CACHE / "java"
    sources = sorted((JAVA / "src").rglob("*.java"))

    def build():
        _maven(JAVA / "pom.xml", ["compile", "dependency:copy-dependencies"], folder, "the Java clients")
        install.check_sums(folder / "lib", JAVA / "lib.sha256")

    inputs = [path.read_bytes() for path in [JAVA / "pom.xml", JAVA / "lib.sha256", *sources]]
    install.made_once(folder, inputs, build)
    return folder


def old_java():
    """The folder with `lib`, an old Kafka client; it runs the classes of `java()`."""
    return _jars("java-old", "old-clients", "an old Kafka client")


def debezium():
    """The folder with `lib`, Debezium's connector for PostgreSQL: a path of plug-ins for a Connect worker."""
    return _jars("debezium", "debezium", "Debezium")


def postgres():
    """The jar that holds PostgreSQL's programs."""
    (jar,) = (_jars("postgres", "postgres", "PostgreSQL") / "lib").iterdir()
    return jar


def _jars(name, source, what):
    """The folder `.cache/e2e/NAME`, whose `lib` holds the jars that java/SOURCE/pom.xml asks for and lib.sha256 vouches for."""
    folder = CACHE / name
    pom, sums = JAVA / source / "pom.xml", JAVA / source / "lib.sha256"

    def build():
        _maven(pom, ["dependency:copy-dependencies"], folder, what)
        install.check_sums(folder / "lib", sums)

    install.made_once(folder, [pom.read_bytes(), sums.read_bytes()], build)
    return folder


def _maven(pom, goals, folder, what):
    command = ["mvn", "-B", "-f", pom, f"-Dbuild.dir={folder}", *goals, f"-DoutputDirectory={folder / 'lib'}"]
    status, tail = run_with_progress(command, f"installing {what}", count=lambda line: "Downloaded" in line)
    if status:
        raise DevError(f"Maven could not build {what}: {install.first_error(tail)}")


def go():
    """The franz-go program."""
    folder = CACHE / "go"
    sources = [path for path in sorted((E2E / "go").iterdir()) if path.suffix in (".go", ".mod", ".sum")]

    def build():
        status, tail = run_with_progress(
            ["go", "build", "-mod=readonly", "-o", folder / "franz-go", "."], "building the Go client", cwd=E2E / "go"
        )
        if status:
            told = tail[-1] if tail else "go said nothing"
            raise DevError(f"the Go client does not build ({told}): {tools.ADVICE['go']}, if yours is older.")

    install.made_once(folder, [path.read_bytes() for path in sources], build)
    return folder / "franz-go"


def node():
    """The folder with kafkajs and its codecs."""
    folder = CACHE / "node"
    files = [E2E / "node" / name for name in ("package.json", "package-lock.json", "main.js")]

    def build():
        for path in files:
            shutil.copy(path, folder)
        status, tail = run_with_progress(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "installing kafkajs", cwd=folder)
        if status:
            raise DevError(f"npm could not install kafkajs: {install.first_error(tail)}")

    install.made_once(folder, [path.read_bytes() for path in files], build)
    return folder


def command(name):
    """The command line of a client."""
    if name == "java":
        folder = java()
        return [*_jvm(), "-cp", f"{folder / 'classes'}:{folder / 'lib'}/*", MAIN_CLASS]
    if name == "java-2.8":
        return [*_jvm(), "-cp", f"{java() / 'classes'}:{old_java() / 'lib'}/*", MAIN_CLASS]
    if name == "librdkafka":
        return [python(), E2E / "python" / "confluent_client.py"]
    if name == "kafka-python":
        return [python(), E2E / "python" / "kafka_python_client.py"]
    if name == "franz-go":
        return [go()]
    if name == "kafkajs":
        return ["node", node() / "main.js"]
    raise ValueError(f"no client is called {name}")


def _jvm():
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]


def environment(name):
    """What the process needs in its environment beside what is there."""
    return {"PYTHONDONTWRITEBYTECODE": "1"} if name in ("librdkafka", "kafka-python") else {}


def missing():
    """Clients whose toolchain is not here, with the tool that is missing."""
    needs = {"franz-go": "go", "kafkajs": "node"}
    return {name: tool for name, tool in needs.items() if shutil.which(tool) is None}


def build_all():
    """Everything the ring needs, so that later runs need no network."""
    print(f"python  {python()}")
    print(f"console {kaskade()}")
    print(f"console {kafka_util()}")
    print(f"java    {java()}")
    print(f"java    {old_java()}")
    print(f"debezium {debezium()}")
    print(f"postgres {postgres()}")
    absent = missing()
    for name, build in (("franz-go", go), ("kafkajs", node)):
        print(f"{name}  {build() if name not in absent else 'left out: ' + absent[name] + ' is missing'}")
