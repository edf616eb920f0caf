#!/usr/bin/python3
"""A client of the CRI, for pod-codes.sh: as much of it as a pod with a container needs.

cri.py image ROOTFS TAR          makes an image of a root file system
cri.py compare SOCKET TARDIS     runs pods, and compares the CRI's codes with those of Tardis,
                                 which it asks by the names that people know, too
"""
import hashlib, io, json, subprocess, sys, tarfile, time

IMAGE = "tardis.test/busybox:1"
NODE = 2  # NamespaceMode.NODE: the host's
EXITED = 2  # ContainerState.CONTAINER_EXITED


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def message(*fields):
    """Encodes (number, value) pairs of a protobuf message: an int, a text, or a message."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def fields(data):
    """Decodes a protobuf message: the last value of each number."""
    found, stream = {}, io.BytesIO(data)

    def number(byte):
        return byte & 127 | (number(stream.read(1)[0]) << 7 if byte > 127 else 0)

    while head := stream.read(1):
        key, value = number(head[0]), number(stream.read(1)[0])
        found[key >> 3] = value if key & 7 == 0 else stream.read(value)
    return found


class Cri:
    def __init__(self, socket):
        import grpc

        self.channel = grpc.insecure_channel("unix://" + socket)

    def call(self, method, *request):
        rpc = self.channel.unary_unary("/runtime.v1.RuntimeService/" + method)
        return fields(rpc(message(*request), timeout=60, wait_for_ready=True))

    def run(self, name, command, grace=None, memory=0):
        """Runs a container in a pod of its own; returns its id, its code and the reason."""
        host = message((1, NODE), (2, NODE), (3, NODE))
        pod_config = message((1, message((1, name), (2, name), (3, "default"))),
                             (8, message((2, message((1, host))))))
        pod = self.call("RunPodSandbox", (1, pod_config), (2, "tardis"))[1].decode()
        config = message((1, message((1, name))), (2, message((1, IMAGE))),
                         *[(3, word) for word in command],
                         (6, message((1, "TARDIS_ENABLE"), (2, "1"))),
                         (15, message((1, message((4, memory))), (2, message((3, host))))))
        container = self.call("CreateContainer", (1, pod), (2, config), (3, pod_config))[1].decode()
        self.call("StartContainer", (1, container))
        if grace is not None:
            self.call("StopContainer", (1, container), (2, grace))
        deadline = time.monotonic() + 60
        while (status := fields(self.call("ContainerStatus", (1, container))[1])).get(3) != EXITED:
            if time.monotonic() > deadline:
                sys.exit(f"{name} did not end: {status}")
            time.sleep(0.1)
        self.call("StopPodSandbox", (1, pod))
        self.call("RemovePodSandbox", (1, pod))
        return container, status.get(7, 0), status[10].decode()


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout


def compare(socket, tardis):
    cri, wrong = Cri(socket), 0
    cases = [(f"exit {code}", ["/bin/sh", "-c", f"exit {code}"], {}) for code in (0, 1, 7, 137, 255)]
    cases += [("killed", ["/bin/sleep", "600"], {"grace": 0}),
              ("stopped", ["/bin/sleep", "600"], {"grace": 1}),
              ("out of memory", ["/bin/sh", "-c", "a=x; while true; do a=$a$a; done"],
               {"memory": 16 << 20})]
    for name, command, options in cases:
        container, code, reason = cri.run(name.replace(" ", "-"), command, **options)
        told = output(tardis, "wait", "--timeout", "30s", "k8s.io/" + container).strip()
        listed = json.loads(output(tardis, "ls", "-n", "k8s.io", "-o", "json"))["containers"]
        life = next((it for it in listed if it["container_id"] == container), {})
        oom_killed = life.get("oom_killed")
        pod = name.replace(" ", "-")
        about, named = life.get("about", {}), output(tardis, "get", f"pod/{pod}/{pod}").strip()
        known = (about.get("pod", {}).get("name"), about.get("container"), about.get("image"))
        print(f"cri {name}: {code} {reason}, tardis: {told}{' oom_killed' * (oom_killed is True)},"
              f" pod/{pod}/{pod}: {named} {known}", flush=True)
        wrong += told != str(code) or oom_killed != (reason == "OOMKilled")
        wrong += named != told or known != (pod, pod, IMAGE)
    if wrong:
        sys.exit(f"{wrong} containers differ")


def image(rootfs, target):
    """Makes what docker save writes."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(rootfs, arcname=".")
    digest = "sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}
    config = {"os": "linux", "architecture": machine[output("uname", "-m").strip()],
              "config": {"Entrypoint": ["/bin/sleep", "1000000"]},
              "rootfs": {"type": "layers", "diff_ids": [digest]}}
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as tar:
        for name, data in (("config.json", json.dumps(config).encode()),
                           ("layer.tar", layer.getvalue()),
                           ("manifest.json", json.dumps(manifest).encode())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


if __name__ == "__main__":
    {"image": image, "compare": compare}[sys.argv[1]](*sys.argv[2:])
