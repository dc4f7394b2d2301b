"""Reads every configuration under envoy/, and lets Envoy itself, with the real module, judge what is Envoy's.

Runs under the Python of dev/lint-requirements.txt: `python -m dev.lint.configurations MODULE`.
Istio's and Kubernetes' own parts are only read as YAML; the Envoy configuration inside them is validated too.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML, YAMLError

from dev import install
from dev.errors import DevError, main_guard
from dev.paths import ENVOY_CONFIGS, ROOT
from dev.servers.envoy import Envoy

MODULE_PATH = "/etc/envoy/isthmus.wasm"
STORE_PASSWORD = "isthmus"


def main():
    """Judge each file; print a line for each configuration and name the wrong ones in the end."""
    module = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        found = [part for path in sorted(ENVOY_CONFIGS.rglob("*.yaml")) for part in configurations(path, module)]
        wrong = [name for number, (name, text) in enumerate(found) if not valid(name, text, module, Path(folder, str(number)))]
    if wrong:
        raise DevError(f"Envoy refuses {', '.join(wrong)}: see its messages above.")


def configurations(path, module):
    """(name, parsed) for each complete Envoy configuration in the file or made of what it holds."""
    name, text = str(path.relative_to(ROOT)), path.read_text()
    if path.name == "static.yaml":
        # Ports are not opened while validating.
        text = Envoy("unused", pulsar="127.0.0.1:6650", pulsar_admin="127.0.0.1:8080", wasm=module).configuration()
    for document in parse(name, text):
        kind = document.get("kind")
        if "static_resources" in document:
            yield name, document
        elif kind == "ConfigMap":
            yield f"{name} (ConfigMap)", parse(name, document["data"]["envoy.yaml"])[0]
        elif kind == "EnvoyFilter":
            yield f"{name} (patch)", in_sidecar(lambda _: document["spec"]["configPatches"][0]["patch"]["value"])
        elif kind == "WasmPlugin":
            yield f"{name} (pluginConfig)", in_sidecar(lambda own: configured(own, document["spec"]["pluginConfig"]))
        else:
            print(f"  {name}: {kind} reads as YAML")


def parse(name, text):
    """The documents of a YAML text."""
    try:
        return list(YAML(typ="safe", pure=True).load_all(text))
    except YAMLError as error:
        raise DevError(f"{name} is no YAML: {error}") from None


def in_sidecar(change):
    """sidecar.yaml with its network filter replaced by what `change` makes of it."""
    path = ENVOY_CONFIGS / "sidecar.yaml"
    (document,) = parse(path.name, path.read_text())
    filters = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
    filters[0] = change(filters[0])
    return document


def configured(network_filter, configuration):
    """The network filter with another configuration of the module."""
    network_filter["typed_config"]["config"]["configuration"]["value"] = json.dumps(configuration)
    return network_filter


def valid(name, document, module, scratch):
    """Whether Envoy takes it, module loaded and configured. Prints why not."""
    scratch.mkdir()
    config = scratch / "envoy.json"
    config.write_text(json.dumps(on_this_machine(document, module, scratch)))
    command = [install.envoy(), "--mode", "validate", "-c", config, "-l", "warning"]
    judged = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(f"  {name}: {'ok' if judged.returncode == 0 else 'refused'}", flush=True)
    if judged.returncode:
        print(judged.stdout)
    return judged.returncode == 0


def on_this_machine(value, module, scratch):
    """The document with the module of this build, and a certificate of this moment for those it names."""
    if isinstance(value, dict):
        if "certificate_chain" in value:
            return {"pkcs12": {"filename": str(certificate(scratch))}, "password": {"inline_string": STORE_PASSWORD}}
        return {key: on_this_machine(each, module, scratch) for key, each in value.items()}
    if isinstance(value, list):
        return [on_this_machine(each, module, scratch) for each in value]
    return module if value == MODULE_PATH else value


def certificate(scratch):
    """A self-signed certificate with its key, by the JDK's tool."""
    store = scratch / "certificate.p12"
    if not store.exists():
        command = ["keytool", "-genkeypair", "-alias", "kafka", "-keyalg", "EC", "-groupname", "secp256r1"]
        command += ["-dname", "CN=kafka.example", "-storetype", "PKCS12", "-keystore", store, "-storepass", STORE_PASSWORD]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return store


if __name__ == "__main__":
    main_guard(main)
