"""The server's operations, a method each. Made by generate.py."""

from __future__ import annotations

from typing import Any, Literal, Sequence

from typing_extensions import Required, TypedDict

from ._transport import AsyncTransport, Content, EventStream, AsyncEventStream, AsyncReply, Reply, Transport, segment

Base64 = str  # what stands for bytes

CopyFrom = TypedDict("CopyFrom", {
    'vm': str,
    'path': Required[str],
}, total=False)

CopyTo = TypedDict("CopyTo", {
    'vm': str,
    'path': Required[str],
}, total=False)

HoldVmPorts = TypedDict("HoldVmPorts", {
    'host_ip': str,
    'host_port': int,
    'guest_port': Required[int],
    'protocol': Literal['tcp', 'udp'],
}, total=False)

HoldVmMounts = TypedDict("HoldVmMounts", {
    'source': Required[str],
    'target': str,
    'read_only': bool,
}, total=False)

HoldVmVolumes = TypedDict("HoldVmVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

HoldVmSecrets = TypedDict("HoldVmSecrets", {
    'name': Required[str],
    'value': str,
    'file': str,
    'hosts': Required[list[str]],
}, total=False)

HoldVmPolicy = TypedDict("HoldVmPolicy", {
    'egress': Literal['all', 'public', 'none'],
    'allow': list[str],
    'deny': list[str],
}, total=False)

HoldVmMain = TypedDict("HoldVmMain", {
    'argv': list[str] | None,
    'dir': str,
    'env': list[str] | None,
    'user': str,
    'wait_init': bool,
}, total=False)

CreateVmPorts = TypedDict("CreateVmPorts", {
    'host_ip': str,
    'host_port': int,
    'guest_port': Required[int],
    'protocol': Literal['tcp', 'udp'],
}, total=False)

CreateVmMounts = TypedDict("CreateVmMounts", {
    'source': Required[str],
    'target': str,
    'read_only': bool,
}, total=False)

CreateVmVolumes = TypedDict("CreateVmVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

CreateVmSecrets = TypedDict("CreateVmSecrets", {
    'name': Required[str],
    'value': str,
    'file': str,
    'hosts': Required[list[str]],
}, total=False)

CreateVmPolicy = TypedDict("CreateVmPolicy", {
    'egress': Literal['all', 'public', 'none'],
    'allow': list[str],
    'deny': list[str],
}, total=False)

CreateVmMain = TypedDict("CreateVmMain", {
    'argv': list[str] | None,
    'dir': str,
    'env': list[str] | None,
    'user': str,
    'wait_init': bool,
}, total=False)

SetVmPorts = TypedDict("SetVmPorts", {
    'host_ip': str,
    'host_port': int,
    'guest_port': Required[int],
    'protocol': Literal['tcp', 'udp'],
}, total=False)

SetVmMounts = TypedDict("SetVmMounts", {
    'source': Required[str],
    'target': str,
    'read_only': bool,
}, total=False)

SetVmVolumes = TypedDict("SetVmVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

AvailableImage = TypedDict("AvailableImage", {
    'name': Required[str],
    'distro': Required[str],
    'arch': Required[str],
    'kernel_ref': Required[str],
    'tarball_url': Required[str],
    'tarball_sha256': Required[str],
    'size_bytes': Required[int],
    'description': Required[str],
    'cosign_key': str,
    'catalog': Required[str],
    'state': Required[str],
}, total=False)

AvailableKernel = TypedDict("AvailableKernel", {
    'name': Required[str],
    'distro': Required[str],
    'arch': Required[str],
    'kernel_version': Required[str],
    'tarball_url': Required[str],
    'tarball_sha256': Required[str],
    'size_bytes': Required[int],
    'description': Required[str],
    'cosign_key': str,
    'catalog': Required[str],
    'state': Required[str],
}, total=False)

Build = TypedDict("Build", {
    'name': Required[str],
    'from': str,
    'kernel_ref': str,
    'packages': list[str] | None,
    'script': str,
    'context': str,
    'dockerfile': str,
    'args': list[str] | None,
    'replace': bool,
}, total=False)

CatalogContent = TypedDict("CatalogContent", {
    'Name': Required[str],
    'Kind': Required[str],
    'Entries': Required[int],
}, total=False)

ChangedVMPorts = TypedDict("ChangedVMPorts", {
    'host_ip': str,
    'host_port': int,
    'guest_port': Required[int],
    'protocol': Literal['tcp', 'udp'],
}, total=False)

ChangedVMMounts = TypedDict("ChangedVMMounts", {
    'source': Required[str],
    'target': str,
    'read_only': bool,
}, total=False)

ChangedVMVolumes = TypedDict("ChangedVMVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

ChangedVM = TypedDict("ChangedVM", {
    'cpus': int | None,
    'memory_mib': int | None,
    'disk_mib': int | None,
    'ports': list[ChangedVMPorts] | None,
    'mounts': list[ChangedVMMounts] | None,
    'volumes': list[ChangedVMVolumes] | None,
    'labels': dict[str, str],
    'ttl': str | None,
    'idle_timeout': str | None,
}, total=False)

ImageConfig = TypedDict("ImageConfig", {
    'user': str,
    'env': list[str] | None,
    'working_dir': str,
    'entrypoint': list[str] | None,
    'cmd': list[str] | None,
    'stop_signal': str,
    'labels': dict[str, str],
}, total=False)

ImageBuildPackages = TypedDict("ImageBuildPackages", {
    'name': Required[str],
    'version': Required[str],
}, total=False)

ImageBuild = TypedDict("ImageBuild", {
    'base': Required[str],
    'base_digest': Required[str],
    'inputs': Required[str],
    'packages': list[ImageBuildPackages] | None,
    'packages_digest': str,
}, total=False)

Image = TypedDict("Image", {
    'name': Required[str],
    'distro': Required[str],
    'arch': Required[str],
    'kernel_ref': Required[str],
    'source': Required[str],
    'source_digest': str,
    'digest': Required[str],
    'size': Required[int],
    'config': ImageConfig | None,
    'build': ImageBuild | None,
    'created_at': Required[str],
    'banger_version': str,
}, total=False)

ImageInfoConfig = TypedDict("ImageInfoConfig", {
    'user': str,
    'env': list[str] | None,
    'working_dir': str,
    'entrypoint': list[str] | None,
    'cmd': list[str] | None,
    'stop_signal': str,
    'labels': dict[str, str],
}, total=False)

ImageInfoBuildPackages = TypedDict("ImageInfoBuildPackages", {
    'name': Required[str],
    'version': Required[str],
}, total=False)

ImageInfoBuild = TypedDict("ImageInfoBuild", {
    'base': Required[str],
    'base_digest': Required[str],
    'inputs': Required[str],
    'packages': list[ImageInfoBuildPackages] | None,
    'packages_digest': str,
}, total=False)

ImageInfoWarmVmPorts = TypedDict("ImageInfoWarmVmPorts", {
    'host_ip': Required[str],
    'host_port': Required[int],
    'guest_port': Required[int],
    'protocol': Required[str],
}, total=False)

ImageInfoWarmVmMounts = TypedDict("ImageInfoWarmVmMounts", {
    'source': Required[str],
    'target': Required[str],
    'read_only': bool,
    'user': str,
}, total=False)

ImageInfoWarmVmPolicy = TypedDict("ImageInfoWarmVmPolicy", {
    'egress': str,
    'allow': list[str] | None,
    'deny': list[str] | None,
}, total=False)

ImageInfoWarmVmNetworks = TypedDict("ImageInfoWarmVmNetworks", {
    'network': Required[str],
    'address': str,
}, total=False)

ImageInfoWarmVmMain = TypedDict("ImageInfoWarmVmMain", {
    'argv': list[str] | None,
    'dir': str,
    'env': list[str] | None,
    'user': str,
    'wait_init': bool,
}, total=False)

ImageInfoWarmVmSecrets = TypedDict("ImageInfoWarmVmSecrets", {
    'name': Required[str],
    'hosts': Required[list[str] | None],
    'from': str,
    'file': str,
}, total=False)

ImageInfoWarmVmVolumes = TypedDict("ImageInfoWarmVmVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

ImageInfoWarmVmStateVmm = TypedDict("ImageInfoWarmVmStateVmm", {
    'backend': Required[str],
    'path': Required[str],
    'version': Required[str],
    'accel': Required[str],
    'why': str,
}, total=False)

ImageInfoWarmVmStateGuest = TypedDict("ImageInfoWarmVmStateGuest", {
    'kernel': Required[str],
    'init': str,
    'warnings': list[str] | None,
}, total=False)

ImageInfoWarmVmStateTook = TypedDict("ImageInfoWarmVmStateTook", {
    'prepare': Required[int],
    'load': Required[int],
    'identity': int,
    'link': Required[int],
}, total=False)

ImageInfoWarmVmStatePorts = TypedDict("ImageInfoWarmVmStatePorts", {
    'host_ip': Required[str],
    'host_port': Required[int],
    'guest_port': Required[int],
    'protocol': Required[str],
}, total=False)

ImageInfoWarmVmStatePublished = TypedDict("ImageInfoWarmVmStatePublished", {
    'host_ip': Required[str],
    'host_port': Required[int],
    'guest_port': Required[int],
    'protocol': Required[str],
}, total=False)

ImageInfoWarmVmStateVolumes = TypedDict("ImageInfoWarmVmStateVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

ImageInfoWarmVmStateMain = TypedDict("ImageInfoWarmVmStateMain", {
    'started_at': Required[str],
    'ended_at': str,
    'status': int | None,
    'error': str,
}, total=False)

ImageInfoWarmVmState = TypedDict("ImageInfoWarmVmState", {
    'phase': Required[str],
    'reason': str,
    'failed': bool,
    'disk_error': str,
    'started_at': str,
    'ready_at': str,
    'stopped_at': str,
    'vmm': ImageInfoWarmVmStateVmm | None,
    'vmm_pid': int,
    'guest': ImageInfoWarmVmStateGuest | None,
    'start': str,
    'took': ImageInfoWarmVmStateTook | None,
    'ports': list[ImageInfoWarmVmStatePorts] | None,
    'published': list[ImageInfoWarmVmStatePublished] | None,
    'volumes': list[ImageInfoWarmVmStateVolumes] | None,
    'expires_at': str,
    'main': ImageInfoWarmVmStateMain | None,
    'snapshot_paused_ms': int,
}, total=False)

ImageInfoWarmVm = TypedDict("ImageInfoWarmVm", {
    'name': Required[str],
    'image': Required[str],
    'image_digest': Required[str],
    'kernel': Required[str],
    'cpus': Required[int],
    'memory_mib': Required[int],
    'disk_bytes': Required[int],
    'ephemeral': bool,
    'host_loopback': bool,
    'ports': list[ImageInfoWarmVmPorts] | None,
    'mounts': list[ImageInfoWarmVmMounts] | None,
    'publish_all': bool,
    'policy': ImageInfoWarmVmPolicy,
    'networks': list[ImageInfoWarmVmNetworks] | None,
    'no_network': bool,
    'max_connections': int,
    'vmm': str,
    'detached': bool,
    'main': ImageInfoWarmVmMain | None,
    'secrets': list[ImageInfoWarmVmSecrets] | None,
    'volumes': list[ImageInfoWarmVmVolumes] | None,
    'labels': dict[str, str],
    'ttl': str,
    'idle_timeout': str,
    'snapshot': str,
    'cold': bool,
    'copied': bool,
    'machine_id': Required[str],
    'mac': Required[str],
    'created_at': Required[str],
    'state': Required[ImageInfoWarmVmState],
}, total=False)

ImageInfoWarmMachineVmm = TypedDict("ImageInfoWarmMachineVmm", {
    'backend': Required[str],
    'path': Required[str],
    'version': Required[str],
    'accel': Required[str],
    'why': str,
}, total=False)

ImageInfoWarmMachine = TypedDict("ImageInfoWarmMachine", {
    'vmm': ImageInfoWarmMachineVmm | None,
    'cpu': Required[str],
    'cpu_features': Required[list[str] | None],
    'kernel_digest': Required[str],
    'image_digest': Required[str],
    'agent_protocol': Required[int],
}, total=False)

ImageInfoWarmFiles = TypedDict("ImageInfoWarmFiles", {
    'name': Required[str],
    'size': Required[int],
    'sha256': Required[str],
}, total=False)

ImageInfoWarm = TypedDict("ImageInfoWarm", {
    'name': Required[str],
    'description': str,
    'created_at': Required[str],
    'vm': Required[ImageInfoWarmVm],
    'running': Required[bool],
    'machine': Required[ImageInfoWarmMachine],
    'paused_ms': Required[int],
    'files': Required[list[ImageInfoWarmFiles] | None],
    'disk_usage': Required[int],
    'banger_version': Required[str],
    'used_at': Required[str],
}, total=False)

ImageInfo = TypedDict("ImageInfo", {
    'name': Required[str],
    'distro': Required[str],
    'arch': Required[str],
    'kernel_ref': Required[str],
    'source': Required[str],
    'source_digest': str,
    'digest': Required[str],
    'size': Required[int],
    'config': ImageInfoConfig | None,
    'build': ImageInfoBuild | None,
    'created_at': Required[str],
    'banger_version': str,
    'on_disk': Required[int],
    'vms': Required[list[str] | None],
    'warm': Required[list[ImageInfoWarm] | None],
    'warm_off': Required[bool],
}, total=False)

KernelFiles = TypedDict("KernelFiles", {
    'path': Required[str],
    'sha256': Required[str],
    'size': Required[int],
}, total=False)

Kernel = TypedDict("Kernel", {
    'name': Required[str],
    'distro': Required[str],
    'arch': Required[str],
    'kernel_version': Required[str],
    'source': Required[str],
    'bundle_digest': str,
    'files': Required[list[KernelFiles] | None],
    'pulled_at': Required[str],
    'banger_version': Required[str],
}, total=False)

ListingEntries = TypedDict("ListingEntries", {
    'name': Required[str],
    'type': Required[str],
    'mode': Required[str],
    'size': Required[int],
    'modified': Required[str],
    'uid': Required[int],
    'gid': Required[int],
    'target': str,
}, total=False)

Listing = TypedDict("Listing", {
    'name': Required[str],
    'type': Required[str],
    'mode': Required[str],
    'size': Required[int],
    'modified': Required[str],
    'uid': Required[int],
    'gid': Required[int],
    'target': str,
    'path': Required[str],
    'entries': Required[list[ListingEntries] | None],
    'more': bool,
}, total=False)

NetworkMembers = TypedDict("NetworkMembers", {
    'vm': Required[str],
    'address': Required[str],
    'phase': Required[str],
}, total=False)

Network = TypedDict("Network", {
    'name': Required[str],
    'subnet': Required[str],
    'internal': bool,
    'latest': str,
    'created_at': Required[str],
    'members': Required[list[NetworkMembers] | None],
}, total=False)

NewVMPorts = TypedDict("NewVMPorts", {
    'host_ip': str,
    'host_port': int,
    'guest_port': Required[int],
    'protocol': Literal['tcp', 'udp'],
}, total=False)

NewVMMounts = TypedDict("NewVMMounts", {
    'source': Required[str],
    'target': str,
    'read_only': bool,
}, total=False)

NewVMVolumes = TypedDict("NewVMVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

NewVMSecrets = TypedDict("NewVMSecrets", {
    'name': Required[str],
    'value': str,
    'file': str,
    'hosts': Required[list[str]],
}, total=False)

NewVMPolicy = TypedDict("NewVMPolicy", {
    'egress': Literal['all', 'public', 'none'],
    'allow': list[str],
    'deny': list[str],
}, total=False)

NewVMMain = TypedDict("NewVMMain", {
    'argv': list[str] | None,
    'dir': str,
    'env': list[str] | None,
    'user': str,
    'wait_init': bool,
}, total=False)

NewVM = TypedDict("NewVM", {
    'name': str,
    'image': str,
    'kernel': str,
    'cpus': int,
    'memory_mib': int,
    'disk_mib': int,
    'vmm': Literal['auto', 'firecracker', 'qemu'],
    'host_loopback': bool,
    'cold': bool,
    'ports': list[NewVMPorts] | None,
    'publish_all': bool,
    'mounts': list[NewVMMounts] | None,
    'volumes': list[NewVMVolumes] | None,
    'networks': list[str],
    'secrets': list[NewVMSecrets] | None,
    'policy': NewVMPolicy | None,
    'max_connections': int,
    'labels': dict[str, str],
    'ttl': str,
    'idle_timeout': str,
    'main': NewVMMain | None,
    'start': bool,
}, total=False)

PatchedOfPush = TypedDict("PatchedOfPush", {
    'name': Required[str],
    'do': Required[str],
}, total=False)

PatchedOfPull = TypedDict("PatchedOfPull", {
    'name': Required[str],
    'do': Required[str],
}, total=False)

PatchedOf = TypedDict("PatchedOf", {
    'push': Required[list[PatchedOfPush] | None],
    'pull': Required[list[PatchedOfPull] | None],
    'conflicts': Required[list[str] | None],
    'refused': Required[list[str] | None],
}, total=False)

Patched = TypedDict("Patched", {
    'patch': Required[Base64],
    'of': Required[PatchedOf],
}, total=False)

Port = TypedDict("Port", {
    'address': Required[str],
    'port': Required[int],
    'pid': int,
    'process': str,
}, total=False)

Problem = TypedDict("Problem", {
    'type': Required[str],
    'title': Required[str],
    'status': Required[int],
    'detail': Required[str],
    'hint': str,
}, total=False)

PrunedRemoved = TypedDict("PrunedRemoved", {
    'kind': Required[str],
    'name': Required[str],
}, total=False)

Pruned = TypedDict("Pruned", {
    'removed': Required[list[PrunedRemoved] | None],
    'freed': Required[int],
}, total=False)

PrunedImages = TypedDict("PrunedImages", {
    'images': Required[list[str] | None],
    'freed': Required[int],
}, total=False)

Pushed = TypedDict("Pushed", {
    'reference': Required[str],
}, total=False)

Ran = TypedDict("Ran", {
    'status': Required[int],
    'stdout': Required[str],
    'stderr': Required[str],
    'encoding': Required[Literal['utf-8', 'base64']],
    'truncated': Required[bool],
}, total=False)

Result = TypedDict("Result", {
    'name': Required[str],
    'ok': Required[bool],
    'found': Required[str],
    'remedy': str,
}, total=False)

Run = TypedDict("Run", {
    'argv': Required[list[str]],
    'dir': str,
    'env': list[str] | None,
    'user': str,
    'wait_init': bool,
    'stdin': str,
    'stdin_encoding': Literal['utf-8', 'base64'],
    'timeout_seconds': int,
    'max_output': int,
}, total=False)

Share = TypedDict("Share", {
    'kind': Required[str],
    'count': Required[int],
    'in_use': Required[int],
    'size': Required[int],
    'reclaimable': Required[int],
}, total=False)

SnapshotVmPorts = TypedDict("SnapshotVmPorts", {
    'host_ip': Required[str],
    'host_port': Required[int],
    'guest_port': Required[int],
    'protocol': Required[str],
}, total=False)

SnapshotVmMounts = TypedDict("SnapshotVmMounts", {
    'source': Required[str],
    'target': Required[str],
    'read_only': bool,
    'user': str,
}, total=False)

SnapshotVmPolicy = TypedDict("SnapshotVmPolicy", {
    'egress': str,
    'allow': list[str] | None,
    'deny': list[str] | None,
}, total=False)

SnapshotVmNetworks = TypedDict("SnapshotVmNetworks", {
    'network': Required[str],
    'address': str,
}, total=False)

SnapshotVmMain = TypedDict("SnapshotVmMain", {
    'argv': list[str] | None,
    'dir': str,
    'env': list[str] | None,
    'user': str,
    'wait_init': bool,
}, total=False)

SnapshotVmSecrets = TypedDict("SnapshotVmSecrets", {
    'name': Required[str],
    'hosts': Required[list[str] | None],
    'from': str,
    'file': str,
}, total=False)

SnapshotVmVolumes = TypedDict("SnapshotVmVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

SnapshotVmStateVmm = TypedDict("SnapshotVmStateVmm", {
    'backend': Required[str],
    'path': Required[str],
    'version': Required[str],
    'accel': Required[str],
    'why': str,
}, total=False)

SnapshotVmStateGuest = TypedDict("SnapshotVmStateGuest", {
    'kernel': Required[str],
    'init': str,
    'warnings': list[str] | None,
}, total=False)

SnapshotVmStateTook = TypedDict("SnapshotVmStateTook", {
    'prepare': Required[int],
    'load': Required[int],
    'identity': int,
    'link': Required[int],
}, total=False)

SnapshotVmStatePorts = TypedDict("SnapshotVmStatePorts", {
    'host_ip': Required[str],
    'host_port': Required[int],
    'guest_port': Required[int],
    'protocol': Required[str],
}, total=False)

SnapshotVmStatePublished = TypedDict("SnapshotVmStatePublished", {
    'host_ip': Required[str],
    'host_port': Required[int],
    'guest_port': Required[int],
    'protocol': Required[str],
}, total=False)

SnapshotVmStateVolumes = TypedDict("SnapshotVmStateVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

SnapshotVmStateMain = TypedDict("SnapshotVmStateMain", {
    'started_at': Required[str],
    'ended_at': str,
    'status': int | None,
    'error': str,
}, total=False)

SnapshotVmState = TypedDict("SnapshotVmState", {
    'phase': Required[str],
    'reason': str,
    'failed': bool,
    'disk_error': str,
    'started_at': str,
    'ready_at': str,
    'stopped_at': str,
    'vmm': SnapshotVmStateVmm | None,
    'vmm_pid': int,
    'guest': SnapshotVmStateGuest | None,
    'start': str,
    'took': SnapshotVmStateTook | None,
    'ports': list[SnapshotVmStatePorts] | None,
    'published': list[SnapshotVmStatePublished] | None,
    'volumes': list[SnapshotVmStateVolumes] | None,
    'expires_at': str,
    'main': SnapshotVmStateMain | None,
    'snapshot_paused_ms': int,
}, total=False)

SnapshotVm = TypedDict("SnapshotVm", {
    'name': Required[str],
    'image': Required[str],
    'image_digest': Required[str],
    'kernel': Required[str],
    'cpus': Required[int],
    'memory_mib': Required[int],
    'disk_bytes': Required[int],
    'ephemeral': bool,
    'host_loopback': bool,
    'ports': list[SnapshotVmPorts] | None,
    'mounts': list[SnapshotVmMounts] | None,
    'publish_all': bool,
    'policy': SnapshotVmPolicy,
    'networks': list[SnapshotVmNetworks] | None,
    'no_network': bool,
    'max_connections': int,
    'vmm': str,
    'detached': bool,
    'main': SnapshotVmMain | None,
    'secrets': list[SnapshotVmSecrets] | None,
    'volumes': list[SnapshotVmVolumes] | None,
    'labels': dict[str, str],
    'ttl': str,
    'idle_timeout': str,
    'snapshot': str,
    'cold': bool,
    'copied': bool,
    'machine_id': Required[str],
    'mac': Required[str],
    'created_at': Required[str],
    'state': Required[SnapshotVmState],
}, total=False)

SnapshotMachineVmm = TypedDict("SnapshotMachineVmm", {
    'backend': Required[str],
    'path': Required[str],
    'version': Required[str],
    'accel': Required[str],
    'why': str,
}, total=False)

SnapshotMachine = TypedDict("SnapshotMachine", {
    'vmm': SnapshotMachineVmm | None,
    'cpu': Required[str],
    'cpu_features': Required[list[str] | None],
    'kernel_digest': Required[str],
    'image_digest': Required[str],
    'agent_protocol': Required[int],
}, total=False)

SnapshotFiles = TypedDict("SnapshotFiles", {
    'name': Required[str],
    'size': Required[int],
    'sha256': Required[str],
}, total=False)

Snapshot = TypedDict("Snapshot", {
    'name': Required[str],
    'description': str,
    'created_at': Required[str],
    'vm': Required[SnapshotVm],
    'running': Required[bool],
    'machine': Required[SnapshotMachine],
    'paused_ms': Required[int],
    'files': Required[list[SnapshotFiles] | None],
    'disk_usage': Required[int],
    'banger_version': Required[str],
}, total=False)

Source = TypedDict("Source", {
    'name': Required[str],
    'kernels': str,
    'images': str,
    'public_key': str,
    'insecure': bool,
}, total=False)

SyncDonePush = TypedDict("SyncDonePush", {
    'name': Required[str],
    'do': Required[str],
}, total=False)

SyncDonePull = TypedDict("SyncDonePull", {
    'name': Required[str],
    'do': Required[str],
}, total=False)

SyncDone = TypedDict("SyncDone", {
    'push': Required[list[SyncDonePush] | None],
    'pull': Required[list[SyncDonePull] | None],
    'conflicts': Required[list[str] | None],
    'refused': Required[list[str] | None],
}, total=False)

Synced = TypedDict("Synced", {
    'dir': Required[str],
    'to': str,
    'user': str,
    'push': bool,
    'pull': bool,
    'delete': bool,
    'dry_run': bool,
}, total=False)

SystemInfoVmm = TypedDict("SystemInfoVmm", {
    'backend': Required[str],
    'path': Required[str],
    'version': Required[str],
    'accel': Required[str],
    'why': str,
}, total=False)

SystemInfoPaths = TypedDict("SystemInfoPaths", {
    'State': Required[str],
    'Cache': Required[str],
    'Config': Required[str],
    'Data': Required[str],
    'Kernels': Required[str],
}, total=False)

SystemInfo = TypedDict("SystemInfo", {
    'version': Required[str],
    'go': Required[str],
    'vmm': SystemInfoVmm | None,
    'vmm_why': str,
    'kvm': Required[bool],
    'kvm_why': str,
    'cpus': Required[int],
    'paths': Required[SystemInfoPaths],
    'counts': Required[dict[str, int]],
    'running': Required[int],
    'config': Required[dict[str, Any]],
}, total=False)

ToppedProcesses = TypedDict("ToppedProcesses", {
    'pid': Required[int],
    'ppid': Required[int],
    'uid': Required[int],
    'state': Required[str],
    'threads': Required[int],
    'memory': Required[int],
    'cpu_ticks': Required[int],
    'start_tick': Required[int],
    'command': Required[str],
    'cpu_percent': Required[float],
}, total=False)

Topped = TypedDict("Topped", {
    'processes': Required[list[ToppedProcesses] | None],
    'more': Required[bool],
}, total=False)

UsageHostGuest = TypedDict("UsageHostGuest", {
    'cpus': Required[int],
    'busy_ticks': Required[int],
    'total_ticks': Required[int],
    'memory': Required[int],
    'memory_available': Required[int],
    'swap': Required[int],
    'swap_free': Required[int],
    'root': Required[int],
    'root_free': Required[int],
    'net_received': Required[int],
    'net_sent': Required[int],
    'disk_read': Required[int],
    'disk_written': Required[int],
    'processes': Required[int],
    'uptime_ms': Required[int],
}, total=False)

UsageHost = TypedDict("UsageHost", {
    'time': Required[str],
    'phase': Required[str],
    'cpu_ns': Required[int],
    'supervisor_cpu_ns': Required[int],
    'memory': Required[int],
    'supervisor_memory': Required[int],
    'disk_usage': Required[int],
    'guest': UsageHostGuest | None,
}, total=False)

Usage = TypedDict("Usage", {
    'time': Required[str],
    'vm': Required[str],
    'status': Required[str],
    'host_cpu_percent': Required[float],
    'host': Required[UsageHost],
    'cpu_percent': Required[float],
    'net_received_per_second': Required[float],
    'net_sent_per_second': Required[float],
    'disk_read_per_second': Required[float],
    'disk_written_per_second': Required[float],
}, total=False)

VMPorts = TypedDict("VMPorts", {
    'host_ip': Required[str],
    'host_port': Required[int],
    'guest_port': Required[int],
    'protocol': Required[str],
}, total=False)

VMMounts = TypedDict("VMMounts", {
    'source': Required[str],
    'target': Required[str],
    'read_only': bool,
    'user': str,
}, total=False)

VMPolicy = TypedDict("VMPolicy", {
    'egress': str,
    'allow': list[str] | None,
    'deny': list[str] | None,
}, total=False)

VMNetworks = TypedDict("VMNetworks", {
    'network': Required[str],
    'address': str,
}, total=False)

VMMain = TypedDict("VMMain", {
    'argv': list[str] | None,
    'dir': str,
    'env': list[str] | None,
    'user': str,
    'wait_init': bool,
}, total=False)

VMSecrets = TypedDict("VMSecrets", {
    'name': Required[str],
    'hosts': Required[list[str] | None],
    'from': str,
    'file': str,
}, total=False)

VMVolumes = TypedDict("VMVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

VMStateVmm = TypedDict("VMStateVmm", {
    'backend': Required[str],
    'path': Required[str],
    'version': Required[str],
    'accel': Required[str],
    'why': str,
}, total=False)

VMStateGuest = TypedDict("VMStateGuest", {
    'kernel': Required[str],
    'init': str,
    'warnings': list[str] | None,
}, total=False)

VMStateTook = TypedDict("VMStateTook", {
    'prepare': Required[int],
    'load': Required[int],
    'identity': int,
    'link': Required[int],
}, total=False)

VMStatePorts = TypedDict("VMStatePorts", {
    'host_ip': Required[str],
    'host_port': Required[int],
    'guest_port': Required[int],
    'protocol': Required[str],
}, total=False)

VMStatePublished = TypedDict("VMStatePublished", {
    'host_ip': Required[str],
    'host_port': Required[int],
    'guest_port': Required[int],
    'protocol': Required[str],
}, total=False)

VMStateVolumes = TypedDict("VMStateVolumes", {
    'name': Required[str],
    'path': Required[str],
    'read_only': bool,
}, total=False)

VMStateMain = TypedDict("VMStateMain", {
    'started_at': Required[str],
    'ended_at': str,
    'status': int | None,
    'error': str,
}, total=False)

VMState = TypedDict("VMState", {
    'phase': Required[str],
    'reason': str,
    'failed': bool,
    'disk_error': str,
    'started_at': str,
    'ready_at': str,
    'stopped_at': str,
    'vmm': VMStateVmm | None,
    'vmm_pid': int,
    'guest': VMStateGuest | None,
    'start': str,
    'took': VMStateTook | None,
    'ports': list[VMStatePorts] | None,
    'published': list[VMStatePublished] | None,
    'volumes': list[VMStateVolumes] | None,
    'expires_at': str,
    'main': VMStateMain | None,
    'snapshot_paused_ms': int,
}, total=False)

VM = TypedDict("VM", {
    'name': Required[str],
    'image': Required[str],
    'image_digest': Required[str],
    'kernel': Required[str],
    'cpus': Required[int],
    'memory_mib': Required[int],
    'disk_bytes': Required[int],
    'ephemeral': bool,
    'host_loopback': bool,
    'ports': list[VMPorts] | None,
    'mounts': list[VMMounts] | None,
    'publish_all': bool,
    'policy': VMPolicy,
    'networks': list[VMNetworks] | None,
    'no_network': bool,
    'max_connections': int,
    'vmm': str,
    'detached': bool,
    'main': VMMain | None,
    'secrets': list[VMSecrets] | None,
    'volumes': list[VMVolumes] | None,
    'labels': dict[str, str],
    'ttl': str,
    'idle_timeout': str,
    'snapshot': str,
    'cold': bool,
    'copied': bool,
    'machine_id': Required[str],
    'mac': Required[str],
    'created_at': Required[str],
    'state': Required[VMState],
}, total=False)

Verdict = TypedDict("Verdict", {
    'allowed': Required[bool],
    'rule': Required[str],
}, total=False)

VolumeUsers = TypedDict("VolumeUsers", {
    'vm': Required[str],
    'path': Required[str],
    'read_only': bool,
    'attached': Required[bool],
}, total=False)

Volume = TypedDict("Volume", {
    'name': Required[str],
    'size_bytes': Required[int],
    'disk_usage': Required[int],
    'labels': dict[str, str],
    'created_at': Required[str],
    'users': Required[list[VolumeUsers] | None],
}, total=False)

Waited = TypedDict("Waited", {
    'status': Required[int],
}, total=False)


class Operations:
    """All operations of the server."""

    transport: Transport

    def available_images(self) -> list[AvailableImage]:
        """What the catalogs have of images."""
        result: list[AvailableImage] = self.transport.ask('GET', f"/v1/catalogs/images")
        return result

    def available_kernels(self) -> list[AvailableKernel]:
        """What the catalogs have of kernels."""
        result: list[AvailableKernel] = self.transport.ask('GET', f"/v1/catalogs/kernels")
        return result

    def build_image(self, *, name: str, from_: str | None = None, kernel_ref: str | None = None, packages: Sequence[str] | None = None, script: str | None = None, context: str | None = None, dockerfile: str | None = None, args: Sequence[str] | None = None, replace: bool | None = None) -> Image:
        """Make an image of another one, in a throw-away VM, or of a Dockerfile."""
        result: Image = self.transport.ask('POST', f"/v1/builds", body={'name': name, 'from': from_, 'kernel_ref': kernel_ref, 'packages': packages, 'script': script, 'context': context, 'dockerfile': dockerfile, 'args': args, 'replace': replace})
        return result

    def check_policy(self, vm: str, *, host: str | None = None, port: int | None = None) -> Verdict:
        """What would become of a connection of a VM's guest, and by which rule."""
        result: Verdict = self.transport.ask('GET', f"/v1/vms/{segment(vm)}/policy/check", query={'host': host, 'port': port})
        return result

    def commit_vm(self, vm: str, *, image: str, replace: bool | None = None) -> Image:
        """Make an image of a VM's disk."""
        result: Image = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/commit", body={'image': image, 'replace': replace})
        return result

    def copy(self, *, from_: Sequence[CopyFrom] | None, to: CopyTo, follow: bool | None = None, archive: bool | None = None, user: str | None = None) -> None:
        """Copy files between this machine and running VMs, by the rules of docker cp."""
        self.transport.ask('POST', f"/v1/copy", body={'from': from_, 'to': to, 'follow': follow, 'archive': archive, 'user': user})

    def create_network(self, *, name: str, subnet: str | None = None, internal: bool | None = None) -> Network:
        """Make a network: VMs on it reach each other by name."""
        result: Network = self.transport.ask('POST', f"/v1/networks", body={'name': name, 'subnet': subnet, 'internal': internal})
        return result

    def create_snapshot(self, vm: str, *, name: str | None = None, description: str | None = None) -> Snapshot:
        """Keep a VM as it is; it goes on."""
        result: Snapshot = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/snapshots", body={'name': name, 'description': description})
        return result

    def create_vm(self, *, idempotency_key: str | None = None, name: str | None = None, image: str | None = None, kernel: str | None = None, cpus: int | None = None, memory_mib: int | None = None, disk_mib: int | None = None, vmm: Literal['auto', 'firecracker', 'qemu'] | None = None, host_loopback: bool | None = None, cold: bool | None = None, ports: Sequence[CreateVmPorts] | None = None, publish_all: bool | None = None, mounts: Sequence[CreateVmMounts] | None = None, volumes: Sequence[CreateVmVolumes] | None = None, networks: Sequence[str] | None = None, secrets: Sequence[CreateVmSecrets] | None = None, policy: CreateVmPolicy | None = None, max_connections: int | None = None, labels: dict[str, str] | None = None, ttl: str | None = None, idle_timeout: str | None = None, main: CreateVmMain | None = None, start: bool | None = None) -> VM:
        """Make a VM."""
        result: VM = self.transport.ask('POST', f"/v1/vms", headers={'Idempotency-Key': idempotency_key}, body={'name': name, 'image': image, 'kernel': kernel, 'cpus': cpus, 'memory_mib': memory_mib, 'disk_mib': disk_mib, 'vmm': vmm, 'host_loopback': host_loopback, 'cold': cold, 'ports': ports, 'publish_all': publish_all, 'mounts': mounts, 'volumes': volumes, 'networks': networks, 'secrets': secrets, 'policy': policy, 'max_connections': max_connections, 'labels': labels, 'ttl': ttl, 'idle_timeout': idle_timeout, 'main': main, 'start': start})
        return result

    def create_volume(self, *, name: str, size_mib: int | None = None, labels: dict[str, str] | None = None) -> Volume:
        """Make an empty volume."""
        result: Volume = self.transport.ask('POST', f"/v1/volumes", body={'name': name, 'size_mib': size_mib, 'labels': labels})
        return result

    def disk_usage(self) -> list[Share]:
        """What takes how much of the disk, and what of that nothing needs."""
        result: list[Share] = self.transport.ask('GET', f"/v1/system/disk")
        return result

    def doctor(self) -> list[Result]:
        """What this machine lets banger do."""
        result: list[Result] = self.transport.ask('GET', f"/v1/system/doctor")
        return result

    def events(self, *, vm: Sequence[str] | None = None, kind: Sequence[str] | None = None, since: str | None = None, until: str | None = None, last_event_id: str | None = None) -> EventStream:
        """What happens to VMs, as server-sent events."""
        return self.transport.events('GET', f"/v1/events", query={'vm': vm, 'kind': kind, 'since': since, 'until': until}, headers={'Last-Event-ID': last_event_id})

    def exec(self, vm: str, *, argv: Sequence[str], dir: str | None = None, env: Sequence[str] | None = None, user: str | None = None, wait_init: bool | None = None, stdin: str | None = None, stdin_encoding: Literal['utf-8', 'base64'] | None = None, timeout_seconds: int | None = None, max_output: int | None = None) -> Ran:
        """Run a program in a running VM to its end."""
        result: Ran = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/exec", body={'argv': argv, 'dir': dir, 'env': env, 'user': user, 'wait_init': wait_init, 'stdin': stdin, 'stdin_encoding': stdin_encoding, 'timeout_seconds': timeout_seconds, 'max_output': max_output})
        return result

    def export_image(self, image: str, *, format: Literal['tar', 'ext4'] | None = None) -> Reply:
        """An image in a format that others read."""
        return self.transport.stream('GET', f"/v1/images/{segment(image)}/export", query={'format': format})

    def fork_vm(self, vm: str, *, name: str | None = None, count: int | None = None) -> list[VM]:
        """Make running copies of a running VM."""
        result: list[VM] = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/fork", body={'name': name, 'count': count})
        return result

    def forward(self, vm: str, *, guest_port: int, host_ip: str | None = None, host_port: int | None = None, protocol: Literal['tcp', 'udp'] | None = None, reverse: bool | None = None) -> EventStream:
        """Open a port of this machine that leads to one of a running VM, or the other way about, for as long as the answer is read. It is server-sent events: open has where it listens, and problem is why the VM went away."""
        return self.transport.events('POST', f"/v1/vms/{segment(vm)}/forwards", body={'host_ip': host_ip, 'host_port': host_port, 'guest_port': guest_port, 'protocol': protocol, 'reverse': reverse})

    def get_image(self, image: str) -> ImageInfo:
        """An image."""
        result: ImageInfo = self.transport.ask('GET', f"/v1/images/{segment(image)}")
        return result

    def get_kernel(self, kernel: str) -> Kernel:
        """A kernel."""
        result: Kernel = self.transport.ask('GET', f"/v1/kernels/{segment(kernel)}")
        return result

    def get_network(self, network: str) -> Network:
        """A network."""
        result: Network = self.transport.ask('GET', f"/v1/networks/{segment(network)}")
        return result

    def get_snapshot(self, snapshot: str) -> Snapshot:
        """A snapshot."""
        result: Snapshot = self.transport.ask('GET', f"/v1/snapshots/{segment(snapshot)}")
        return result

    def get_vm(self, vm: str) -> VM:
        """A VM."""
        result: VM = self.transport.ask('GET', f"/v1/vms/{segment(vm)}")
        return result

    def get_volume(self, volume: str) -> Volume:
        """A volume."""
        result: Volume = self.transport.ask('GET', f"/v1/volumes/{segment(volume)}")
        return result

    def guest_ports(self, vm: str) -> list[Port]:
        """What a guest's programs listen on."""
        result: list[Port] = self.transport.ask('GET', f"/v1/vms/{segment(vm)}/listening")
        return result

    def hold_vm(self, *, name: str | None = None, image: str | None = None, kernel: str | None = None, cpus: int | None = None, memory_mib: int | None = None, disk_mib: int | None = None, vmm: Literal['auto', 'firecracker', 'qemu'] | None = None, host_loopback: bool | None = None, cold: bool | None = None, ports: Sequence[HoldVmPorts] | None = None, publish_all: bool | None = None, mounts: Sequence[HoldVmMounts] | None = None, volumes: Sequence[HoldVmVolumes] | None = None, networks: Sequence[str] | None = None, secrets: Sequence[HoldVmSecrets] | None = None, policy: HoldVmPolicy | None = None, max_connections: int | None = None, labels: dict[str, str] | None = None, ttl: str | None = None, idle_timeout: str | None = None, main: HoldVmMain | None = None, start: bool | None = None) -> EventStream:
        """Make a VM and boot it, for as long as the answer is read: it is removed with the request. It is server-sent events: ready has the VM, stage and the like say what is done before, end comes when it is down or its own program has ended, and problem says what failed."""
        return self.transport.events('POST', f"/v1/runs", body={'name': name, 'image': image, 'kernel': kernel, 'cpus': cpus, 'memory_mib': memory_mib, 'disk_mib': disk_mib, 'vmm': vmm, 'host_loopback': host_loopback, 'cold': cold, 'ports': ports, 'publish_all': publish_all, 'mounts': mounts, 'volumes': volumes, 'networks': networks, 'secrets': secrets, 'policy': policy, 'max_connections': max_connections, 'labels': labels, 'ttl': ttl, 'idle_timeout': idle_timeout, 'main': main, 'start': start})

    def import_kernel(self, *, name: str, from_: str, distro: str | None = None) -> Kernel:
        """Take a kernel from this machine."""
        result: Kernel = self.transport.ask('POST', f"/v1/imports/kernels", body={'name': name, 'from': from_, 'distro': distro})
        return result

    def kill_vm(self, vm: str, *, signal: Literal['KILL', 'TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'] | None = None) -> VM:
        """Pull a VM's plug, or send another signal to its own program."""
        result: VM = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/kill", query={'signal': signal})
        return result

    def list_catalogs(self) -> list[Source]:
        """Where kernels and images come from, in the order in which it counts."""
        result: list[Source] = self.transport.ask('GET', f"/v1/catalogs")
        return result

    def list_files(self, vm: str, *, path: str | None = None, user: str | None = None, follow: bool | None = None) -> Listing:
        """What there is at a path in a running VM, and in it where that is a directory."""
        result: Listing = self.transport.ask('GET', f"/v1/vms/{segment(vm)}/files", query={'path': path, 'user': user, 'follow': follow})
        return result

    def list_images(self) -> list[ImageInfo]:
        """All images."""
        result: list[ImageInfo] = self.transport.ask('GET', f"/v1/images")
        return result

    def list_kernels(self) -> list[Kernel]:
        """All kernels."""
        result: list[Kernel] = self.transport.ask('GET', f"/v1/kernels")
        return result

    def list_networks(self) -> list[Network]:
        """All networks between VMs."""
        result: list[Network] = self.transport.ask('GET', f"/v1/networks")
        return result

    def list_snapshots(self, *, vm: str | None = None) -> list[Snapshot]:
        """All snapshots."""
        result: list[Snapshot] = self.transport.ask('GET', f"/v1/snapshots", query={'vm': vm})
        return result

    def list_vms(self, *, label: Sequence[str] | None = None) -> list[VM]:
        """All VMs."""
        result: list[VM] = self.transport.ask('GET', f"/v1/vms", query={'label': label})
        return result

    def list_volumes(self, *, label: Sequence[str] | None = None) -> list[Volume]:
        """All volumes."""
        result: list[Volume] = self.transport.ask('GET', f"/v1/volumes", query={'label': label})
        return result

    def logs(self, vm: str, *, source: Literal['console', 'supervisor', 'network'] | None = None, follow: bool | None = None, boot: int | None = None, since: str | None = None, tail: int | None = None) -> Reply:
        """A VM's log."""
        return self.transport.stream('GET', f"/v1/vms/{segment(vm)}/logs", query={'source': source, 'follow': follow, 'boot': boot, 'since': since, 'tail': tail})

    def pause_vm(self, vm: str) -> VM:
        """Hold a VM still."""
        result: VM = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/pause")
        return result

    def prune(self, *, all: bool | None = None, volumes: bool | None = None, labels: dict[str, str] | None = None, age: str | None = None) -> Pruned:
        """Remove the VMs that are stopped and what is kept for the next time, and more where it is asked for."""
        result: Pruned = self.transport.ask('POST', f"/v1/prune", body={'all': all, 'volumes': volumes, 'labels': labels, 'age': age})
        return result

    def prune_images(self, *, unused: bool | None = None) -> PrunedImages:
        """Remove what was fetched from registries and is kept for the next time."""
        result: PrunedImages = self.transport.ask('POST', f"/v1/prune/images", query={'unused': unused})
        return result

    def prune_vms(self, *, label: Sequence[str] | None = None) -> list[str]:
        """Remove the VMs that are stopped, and their disks."""
        result: list[str] = self.transport.ask('POST', f"/v1/prune/vms", query={'label': label})
        return result

    def prune_volumes(self, *, label: Sequence[str] | None = None) -> list[Volume]:
        """Remove the volumes that no VM has, and all that is in them."""
        result: list[Volume] = self.transport.ask('POST', f"/v1/prune/volumes", query={'label': label})
        return result

    def pull_image(self, *, reference: str, name: str | None = None, kernel_ref: str | None = None, insecure: bool | None = None) -> Image:
        """Get an image; one of a catalog's with its kernel."""
        result: Image = self.transport.ask('POST', f"/v1/images", body={'reference': reference, 'name': name, 'kernel_ref': kernel_ref, 'insecure': insecure})
        return result

    def pull_kernel(self, *, reference: str, name: str | None = None, update: bool | None = None, force: bool | None = None) -> Kernel:
        """Get a kernel."""
        result: Kernel = self.transport.ask('POST', f"/v1/kernels", body={'reference': reference, 'name': name, 'update': update, 'force': force})
        return result

    def push_image(self, image: str, *, reference: str, insecure: bool | None = None) -> Pushed:
        """Put an image into an OCI registry."""
        result: Pushed = self.transport.ask('POST', f"/v1/images/{segment(image)}/push", body={'reference': reference, 'insecure': insecure})
        return result

    def push_kernel(self, kernel: str, *, reference: str, insecure: bool | None = None) -> Pushed:
        """Put a kernel into an OCI registry."""
        result: Pushed = self.transport.ask('POST', f"/v1/kernels/{segment(kernel)}/push", body={'reference': reference, 'insecure': insecure})
        return result

    def read_file(self, vm: str, *, path: str | None = None, user: str | None = None, follow: bool | None = None) -> Reply:
        """A file of a running VM."""
        return self.transport.stream('GET', f"/v1/vms/{segment(vm)}/files/content", query={'path': path, 'user': user, 'follow': follow})

    def read_tree(self, vm: str, *, path: str | None = None, user: str | None = None, follow: bool | None = None) -> Reply:
        """A file or directory of a running VM, as a tar."""
        return self.transport.stream('GET', f"/v1/vms/{segment(vm)}/files/tar", query={'path': path, 'user': user, 'follow': follow})

    def refresh_catalogs(self, *, catalog: str | None = None) -> list[CatalogContent]:
        """Fetch remote catalogs anew."""
        result: list[CatalogContent] = self.transport.ask('POST', f"/v1/catalogs/refresh", query={'catalog': catalog})
        return result

    def register_image(self, *, name: str, rootfs: str, kernel_ref: str | None = None, replace: bool | None = None) -> Image:
        """Make an image of an ext4 file system of this machine."""
        result: Image = self.transport.ask('POST', f"/v1/imports/images", body={'name': name, 'rootfs': rootfs, 'kernel_ref': kernel_ref, 'replace': replace})
        return result

    def remove_image(self, image: str, *, force: bool | None = None) -> None:
        """Remove an image."""
        self.transport.ask('DELETE', f"/v1/images/{segment(image)}", query={'force': force})

    def remove_kernel(self, kernel: str, *, force: bool | None = None) -> None:
        """Remove a kernel."""
        self.transport.ask('DELETE', f"/v1/kernels/{segment(kernel)}", query={'force': force})

    def remove_network(self, network: str) -> None:
        """Remove a network that no VM is on."""
        self.transport.ask('DELETE', f"/v1/networks/{segment(network)}")

    def remove_snapshot(self, snapshot: str) -> None:
        """Remove a snapshot."""
        self.transport.ask('DELETE', f"/v1/snapshots/{segment(snapshot)}")

    def remove_vm(self, vm: str, *, force: bool | None = None) -> None:
        """Remove a VM and its disk."""
        self.transport.ask('DELETE', f"/v1/vms/{segment(vm)}", query={'force': force})

    def remove_volume(self, volume: str) -> None:
        """Remove a volume that no VM has, and all that is in it."""
        self.transport.ask('DELETE', f"/v1/volumes/{segment(volume)}")

    def rename_image(self, image: str, *, name: str) -> ImageInfo:
        """Give an image that no VM uses another name."""
        result: ImageInfo = self.transport.ask('POST', f"/v1/images/{segment(image)}/rename", body={'name': name})
        return result

    def rename_vm(self, vm: str, *, name: str) -> VM:
        """Give a VM that is stopped another name."""
        result: VM = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/rename", body={'name': name})
        return result

    def restart_vm(self, vm: str, *, timeout: int | None = None, force: bool | None = None) -> VM:
        """Shut a VM down and boot it again."""
        result: VM = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/restart", query={'timeout': timeout, 'force': force})
        return result

    def restore_snapshot(self, snapshot: str, *, name: str | None = None, replace: str | None = None, disk_only: bool | None = None) -> VM:
        """Make a VM that goes on from a snapshot, or put one back."""
        result: VM = self.transport.ask('POST', f"/v1/snapshots/{segment(snapshot)}/restore", body={'name': name, 'replace': replace, 'disk_only': disk_only})
        return result

    def resume_vm(self, vm: str) -> VM:
        """Let a VM that is paused go on."""
        result: VM = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/resume")
        return result

    def set_policy(self, vm: str, *, egress: Literal['all', 'public', 'none'] | None = None, allow: Sequence[str] | None = None, deny: Sequence[str] | None = None, remove: Sequence[str] | None = None, replace: bool | None = None) -> VM:
        """Change what a VM's guest may reach, at once."""
        result: VM = self.transport.ask('PATCH', f"/v1/vms/{segment(vm)}/policy", body={'egress': egress, 'allow': allow, 'deny': deny, 'remove': remove, 'replace': replace})
        return result

    def set_vm(self, vm: str, *, cpus: int | None = None, memory_mib: int | None = None, disk_mib: int | None = None, ports: Sequence[SetVmPorts] | None = None, mounts: Sequence[SetVmMounts] | None = None, volumes: Sequence[SetVmVolumes] | None = None, labels: dict[str, str] | None = None, ttl: str | None = None, idle_timeout: str | None = None) -> VM:
        """Change a VM's settings."""
        result: VM = self.transport.ask('PATCH', f"/v1/vms/{segment(vm)}", body={'cpus': cpus, 'memory_mib': memory_mib, 'disk_mib': disk_mib, 'ports': ports, 'mounts': mounts, 'volumes': volumes, 'labels': labels, 'ttl': ttl, 'idle_timeout': idle_timeout})
        return result

    def set_volume(self, volume: str, *, size_mib: int | None = None, labels: dict[str, str] | None = None) -> Volume:
        """Change a volume, which can grow while a VM writes to it."""
        result: Volume = self.transport.ask('PATCH', f"/v1/volumes/{segment(volume)}", body={'size_mib': size_mib, 'labels': labels})
        return result

    def start_vm(self, vm: str) -> VM:
        """Boot a VM, and return when it is up."""
        result: VM = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/start")
        return result

    def stats(self, *, vm: Sequence[str] | None = None, interval: int | None = None) -> list[Usage]:
        """What VMs take, after one interval."""
        result: list[Usage] = self.transport.ask('GET', f"/v1/stats", query={'vm': vm, 'interval': interval})
        return result

    def stop_vm(self, vm: str, *, timeout: int | None = None, force: bool | None = None) -> VM:
        """Shut a VM down."""
        result: VM = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/stop", query={'timeout': timeout, 'force': force})
        return result

    def sync(self, vm: str, *, dir: str, to: str | None = None, user: str | None = None, push: bool | None = None, pull: bool | None = None, delete: bool | None = None, dry_run: bool | None = None) -> SyncDone:
        """Find what changed in a directory of this machine and one of a running VM, and make them alike."""
        result: SyncDone = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/sync", body={'dir': dir, 'to': to, 'user': user, 'push': push, 'pull': pull, 'delete': delete, 'dry_run': dry_run})
        return result

    def sync_patch(self, vm: str, *, dir: str, to: str | None = None, user: str | None = None, push: bool | None = None, pull: bool | None = None, delete: bool | None = None, dry_run: bool | None = None) -> Patched:
        """What changed in the VM's directory, as a patch for git apply."""
        result: Patched = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/sync/patch", body={'dir': dir, 'to': to, 'user': user, 'push': push, 'pull': pull, 'delete': delete, 'dry_run': dry_run})
        return result

    def system(self) -> SystemInfo:
        """Versions, the VMM, paths, counts and the configuration in force."""
        result: SystemInfo = self.transport.ask('GET', f"/v1/system")
        return result

    def top(self, vm: str, *, interval: int | None = None) -> Topped:
        """The processes of a running VM's guest, after one interval."""
        result: Topped = self.transport.ask('GET', f"/v1/vms/{segment(vm)}/top", query={'interval': interval})
        return result

    def touch_vm(self, vm: str) -> VM:
        """Begin a VM's time to live, and its time without use, anew."""
        result: VM = self.transport.ask('POST', f"/v1/vms/{segment(vm)}/touch")
        return result

    def verify_image(self, image: str) -> None:
        """Check an image's file system against its manifest."""
        self.transport.ask('POST', f"/v1/images/{segment(image)}/verify")

    def verify_kernel(self, kernel: str) -> None:
        """Check a kernel's files against its manifest."""
        self.transport.ask('POST', f"/v1/kernels/{segment(kernel)}/verify")

    def verify_snapshot(self, snapshot: str) -> None:
        """Check that a snapshot is what it was."""
        self.transport.ask('POST', f"/v1/snapshots/{segment(snapshot)}/verify")

    def version(self) -> dict[str, str]:
        """banger's version."""
        result: dict[str, str] = self.transport.ask('GET', f"/v1/version")
        return result

    def wait_vm(self, vm: str) -> Waited:
        """Wait until a VM's own program has ended, or without one until it is down."""
        result: Waited = self.transport.ask('GET', f"/v1/vms/{segment(vm)}/wait")
        return result

    def warm_image(self, image: str, *, off: bool | None = None) -> ImageInfo:
        """Boot a throw-away VM of an image, for others to go on from in place of booting."""
        result: ImageInfo = self.transport.ask('POST', f"/v1/images/{segment(image)}/warm", query={'off': off})
        return result

    def watch_stats(self, *, vm: Sequence[str] | None = None, interval: int | None = None) -> EventStream:
        """What VMs take, at each interval, as server-sent events."""
        return self.transport.events('GET', f"/v1/stats/watch", query={'vm': vm, 'interval': interval})

    def write_file(self, vm: str, content: Content, *, path: str | None = None, user: str | None = None, mode: str | None = None, parents: bool | None = None) -> None:
        """Make a file in a running VM, or replace one: it has its name once it is whole."""
        self.transport.ask('PUT', f"/v1/vms/{segment(vm)}/files/content", query={'path': path, 'user': user, 'mode': mode, 'parents': parents}, content=content)

    def write_tree(self, vm: str, content: Content, *, path: str | None = None, user: str | None = None, archive: bool | None = None, parents: bool | None = None) -> None:
        """Unpack a tar into a directory of a running VM."""
        self.transport.ask('PUT', f"/v1/vms/{segment(vm)}/files/tar", query={'path': path, 'user': user, 'archive': archive, 'parents': parents}, content=content)


class AsyncOperations:
    """All operations of the server."""

    transport: AsyncTransport

    async def available_images(self) -> list[AvailableImage]:
        """What the catalogs have of images."""
        result: list[AvailableImage] = await self.transport.ask('GET', f"/v1/catalogs/images")
        return result

    async def available_kernels(self) -> list[AvailableKernel]:
        """What the catalogs have of kernels."""
        result: list[AvailableKernel] = await self.transport.ask('GET', f"/v1/catalogs/kernels")
        return result

    async def build_image(self, *, name: str, from_: str | None = None, kernel_ref: str | None = None, packages: Sequence[str] | None = None, script: str | None = None, context: str | None = None, dockerfile: str | None = None, args: Sequence[str] | None = None, replace: bool | None = None) -> Image:
        """Make an image of another one, in a throw-away VM, or of a Dockerfile."""
        result: Image = await self.transport.ask('POST', f"/v1/builds", body={'name': name, 'from': from_, 'kernel_ref': kernel_ref, 'packages': packages, 'script': script, 'context': context, 'dockerfile': dockerfile, 'args': args, 'replace': replace})
        return result

    async def check_policy(self, vm: str, *, host: str | None = None, port: int | None = None) -> Verdict:
        """What would become of a connection of a VM's guest, and by which rule."""
        result: Verdict = await self.transport.ask('GET', f"/v1/vms/{segment(vm)}/policy/check", query={'host': host, 'port': port})
        return result

    async def commit_vm(self, vm: str, *, image: str, replace: bool | None = None) -> Image:
        """Make an image of a VM's disk."""
        result: Image = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/commit", body={'image': image, 'replace': replace})
        return result

    async def copy(self, *, from_: Sequence[CopyFrom] | None, to: CopyTo, follow: bool | None = None, archive: bool | None = None, user: str | None = None) -> None:
        """Copy files between this machine and running VMs, by the rules of docker cp."""
        await self.transport.ask('POST', f"/v1/copy", body={'from': from_, 'to': to, 'follow': follow, 'archive': archive, 'user': user})

    async def create_network(self, *, name: str, subnet: str | None = None, internal: bool | None = None) -> Network:
        """Make a network: VMs on it reach each other by name."""
        result: Network = await self.transport.ask('POST', f"/v1/networks", body={'name': name, 'subnet': subnet, 'internal': internal})
        return result

    async def create_snapshot(self, vm: str, *, name: str | None = None, description: str | None = None) -> Snapshot:
        """Keep a VM as it is; it goes on."""
        result: Snapshot = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/snapshots", body={'name': name, 'description': description})
        return result

    async def create_vm(self, *, idempotency_key: str | None = None, name: str | None = None, image: str | None = None, kernel: str | None = None, cpus: int | None = None, memory_mib: int | None = None, disk_mib: int | None = None, vmm: Literal['auto', 'firecracker', 'qemu'] | None = None, host_loopback: bool | None = None, cold: bool | None = None, ports: Sequence[CreateVmPorts] | None = None, publish_all: bool | None = None, mounts: Sequence[CreateVmMounts] | None = None, volumes: Sequence[CreateVmVolumes] | None = None, networks: Sequence[str] | None = None, secrets: Sequence[CreateVmSecrets] | None = None, policy: CreateVmPolicy | None = None, max_connections: int | None = None, labels: dict[str, str] | None = None, ttl: str | None = None, idle_timeout: str | None = None, main: CreateVmMain | None = None, start: bool | None = None) -> VM:
        """Make a VM."""
        result: VM = await self.transport.ask('POST', f"/v1/vms", headers={'Idempotency-Key': idempotency_key}, body={'name': name, 'image': image, 'kernel': kernel, 'cpus': cpus, 'memory_mib': memory_mib, 'disk_mib': disk_mib, 'vmm': vmm, 'host_loopback': host_loopback, 'cold': cold, 'ports': ports, 'publish_all': publish_all, 'mounts': mounts, 'volumes': volumes, 'networks': networks, 'secrets': secrets, 'policy': policy, 'max_connections': max_connections, 'labels': labels, 'ttl': ttl, 'idle_timeout': idle_timeout, 'main': main, 'start': start})
        return result

    async def create_volume(self, *, name: str, size_mib: int | None = None, labels: dict[str, str] | None = None) -> Volume:
        """Make an empty volume."""
        result: Volume = await self.transport.ask('POST', f"/v1/volumes", body={'name': name, 'size_mib': size_mib, 'labels': labels})
        return result

    async def disk_usage(self) -> list[Share]:
        """What takes how much of the disk, and what of that nothing needs."""
        result: list[Share] = await self.transport.ask('GET', f"/v1/system/disk")
        return result

    async def doctor(self) -> list[Result]:
        """What this machine lets banger do."""
        result: list[Result] = await self.transport.ask('GET', f"/v1/system/doctor")
        return result

    def events(self, *, vm: Sequence[str] | None = None, kind: Sequence[str] | None = None, since: str | None = None, until: str | None = None, last_event_id: str | None = None) -> AsyncEventStream:
        """What happens to VMs, as server-sent events."""
        return self.transport.events('GET', f"/v1/events", query={'vm': vm, 'kind': kind, 'since': since, 'until': until}, headers={'Last-Event-ID': last_event_id})

    async def exec(self, vm: str, *, argv: Sequence[str], dir: str | None = None, env: Sequence[str] | None = None, user: str | None = None, wait_init: bool | None = None, stdin: str | None = None, stdin_encoding: Literal['utf-8', 'base64'] | None = None, timeout_seconds: int | None = None, max_output: int | None = None) -> Ran:
        """Run a program in a running VM to its end."""
        result: Ran = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/exec", body={'argv': argv, 'dir': dir, 'env': env, 'user': user, 'wait_init': wait_init, 'stdin': stdin, 'stdin_encoding': stdin_encoding, 'timeout_seconds': timeout_seconds, 'max_output': max_output})
        return result

    def export_image(self, image: str, *, format: Literal['tar', 'ext4'] | None = None) -> AsyncReply:
        """An image in a format that others read."""
        return self.transport.stream('GET', f"/v1/images/{segment(image)}/export", query={'format': format})

    async def fork_vm(self, vm: str, *, name: str | None = None, count: int | None = None) -> list[VM]:
        """Make running copies of a running VM."""
        result: list[VM] = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/fork", body={'name': name, 'count': count})
        return result

    def forward(self, vm: str, *, guest_port: int, host_ip: str | None = None, host_port: int | None = None, protocol: Literal['tcp', 'udp'] | None = None, reverse: bool | None = None) -> AsyncEventStream:
        """Open a port of this machine that leads to one of a running VM, or the other way about, for as long as the answer is read. It is server-sent events: open has where it listens, and problem is why the VM went away."""
        return self.transport.events('POST', f"/v1/vms/{segment(vm)}/forwards", body={'host_ip': host_ip, 'host_port': host_port, 'guest_port': guest_port, 'protocol': protocol, 'reverse': reverse})

    async def get_image(self, image: str) -> ImageInfo:
        """An image."""
        result: ImageInfo = await self.transport.ask('GET', f"/v1/images/{segment(image)}")
        return result

    async def get_kernel(self, kernel: str) -> Kernel:
        """A kernel."""
        result: Kernel = await self.transport.ask('GET', f"/v1/kernels/{segment(kernel)}")
        return result

    async def get_network(self, network: str) -> Network:
        """A network."""
        result: Network = await self.transport.ask('GET', f"/v1/networks/{segment(network)}")
        return result

    async def get_snapshot(self, snapshot: str) -> Snapshot:
        """A snapshot."""
        result: Snapshot = await self.transport.ask('GET', f"/v1/snapshots/{segment(snapshot)}")
        return result

    async def get_vm(self, vm: str) -> VM:
        """A VM."""
        result: VM = await self.transport.ask('GET', f"/v1/vms/{segment(vm)}")
        return result

    async def get_volume(self, volume: str) -> Volume:
        """A volume."""
        result: Volume = await self.transport.ask('GET', f"/v1/volumes/{segment(volume)}")
        return result

    async def guest_ports(self, vm: str) -> list[Port]:
        """What a guest's programs listen on."""
        result: list[Port] = await self.transport.ask('GET', f"/v1/vms/{segment(vm)}/listening")
        return result

    def hold_vm(self, *, name: str | None = None, image: str | None = None, kernel: str | None = None, cpus: int | None = None, memory_mib: int | None = None, disk_mib: int | None = None, vmm: Literal['auto', 'firecracker', 'qemu'] | None = None, host_loopback: bool | None = None, cold: bool | None = None, ports: Sequence[HoldVmPorts] | None = None, publish_all: bool | None = None, mounts: Sequence[HoldVmMounts] | None = None, volumes: Sequence[HoldVmVolumes] | None = None, networks: Sequence[str] | None = None, secrets: Sequence[HoldVmSecrets] | None = None, policy: HoldVmPolicy | None = None, max_connections: int | None = None, labels: dict[str, str] | None = None, ttl: str | None = None, idle_timeout: str | None = None, main: HoldVmMain | None = None, start: bool | None = None) -> AsyncEventStream:
        """Make a VM and boot it, for as long as the answer is read: it is removed with the request. It is server-sent events: ready has the VM, stage and the like say what is done before, end comes when it is down or its own program has ended, and problem says what failed."""
        return self.transport.events('POST', f"/v1/runs", body={'name': name, 'image': image, 'kernel': kernel, 'cpus': cpus, 'memory_mib': memory_mib, 'disk_mib': disk_mib, 'vmm': vmm, 'host_loopback': host_loopback, 'cold': cold, 'ports': ports, 'publish_all': publish_all, 'mounts': mounts, 'volumes': volumes, 'networks': networks, 'secrets': secrets, 'policy': policy, 'max_connections': max_connections, 'labels': labels, 'ttl': ttl, 'idle_timeout': idle_timeout, 'main': main, 'start': start})

    async def import_kernel(self, *, name: str, from_: str, distro: str | None = None) -> Kernel:
        """Take a kernel from this machine."""
        result: Kernel = await self.transport.ask('POST', f"/v1/imports/kernels", body={'name': name, 'from': from_, 'distro': distro})
        return result

    async def kill_vm(self, vm: str, *, signal: Literal['KILL', 'TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'] | None = None) -> VM:
        """Pull a VM's plug, or send another signal to its own program."""
        result: VM = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/kill", query={'signal': signal})
        return result

    async def list_catalogs(self) -> list[Source]:
        """Where kernels and images come from, in the order in which it counts."""
        result: list[Source] = await self.transport.ask('GET', f"/v1/catalogs")
        return result

    async def list_files(self, vm: str, *, path: str | None = None, user: str | None = None, follow: bool | None = None) -> Listing:
        """What there is at a path in a running VM, and in it where that is a directory."""
        result: Listing = await self.transport.ask('GET', f"/v1/vms/{segment(vm)}/files", query={'path': path, 'user': user, 'follow': follow})
        return result

    async def list_images(self) -> list[ImageInfo]:
        """All images."""
        result: list[ImageInfo] = await self.transport.ask('GET', f"/v1/images")
        return result

    async def list_kernels(self) -> list[Kernel]:
        """All kernels."""
        result: list[Kernel] = await self.transport.ask('GET', f"/v1/kernels")
        return result

    async def list_networks(self) -> list[Network]:
        """All networks between VMs."""
        result: list[Network] = await self.transport.ask('GET', f"/v1/networks")
        return result

    async def list_snapshots(self, *, vm: str | None = None) -> list[Snapshot]:
        """All snapshots."""
        result: list[Snapshot] = await self.transport.ask('GET', f"/v1/snapshots", query={'vm': vm})
        return result

    async def list_vms(self, *, label: Sequence[str] | None = None) -> list[VM]:
        """All VMs."""
        result: list[VM] = await self.transport.ask('GET', f"/v1/vms", query={'label': label})
        return result

    async def list_volumes(self, *, label: Sequence[str] | None = None) -> list[Volume]:
        """All volumes."""
        result: list[Volume] = await self.transport.ask('GET', f"/v1/volumes", query={'label': label})
        return result

    def logs(self, vm: str, *, source: Literal['console', 'supervisor', 'network'] | None = None, follow: bool | None = None, boot: int | None = None, since: str | None = None, tail: int | None = None) -> AsyncReply:
        """A VM's log."""
        return self.transport.stream('GET', f"/v1/vms/{segment(vm)}/logs", query={'source': source, 'follow': follow, 'boot': boot, 'since': since, 'tail': tail})

    async def pause_vm(self, vm: str) -> VM:
        """Hold a VM still."""
        result: VM = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/pause")
        return result

    async def prune(self, *, all: bool | None = None, volumes: bool | None = None, labels: dict[str, str] | None = None, age: str | None = None) -> Pruned:
        """Remove the VMs that are stopped and what is kept for the next time, and more where it is asked for."""
        result: Pruned = await self.transport.ask('POST', f"/v1/prune", body={'all': all, 'volumes': volumes, 'labels': labels, 'age': age})
        return result

    async def prune_images(self, *, unused: bool | None = None) -> PrunedImages:
        """Remove what was fetched from registries and is kept for the next time."""
        result: PrunedImages = await self.transport.ask('POST', f"/v1/prune/images", query={'unused': unused})
        return result

    async def prune_vms(self, *, label: Sequence[str] | None = None) -> list[str]:
        """Remove the VMs that are stopped, and their disks."""
        result: list[str] = await self.transport.ask('POST', f"/v1/prune/vms", query={'label': label})
        return result

    async def prune_volumes(self, *, label: Sequence[str] | None = None) -> list[Volume]:
        """Remove the volumes that no VM has, and all that is in them."""
        result: list[Volume] = await self.transport.ask('POST', f"/v1/prune/volumes", query={'label': label})
        return result

    async def pull_image(self, *, reference: str, name: str | None = None, kernel_ref: str | None = None, insecure: bool | None = None) -> Image:
        """Get an image; one of a catalog's with its kernel."""
        result: Image = await self.transport.ask('POST', f"/v1/images", body={'reference': reference, 'name': name, 'kernel_ref': kernel_ref, 'insecure': insecure})
        return result

    async def pull_kernel(self, *, reference: str, name: str | None = None, update: bool | None = None, force: bool | None = None) -> Kernel:
        """Get a kernel."""
        result: Kernel = await self.transport.ask('POST', f"/v1/kernels", body={'reference': reference, 'name': name, 'update': update, 'force': force})
        return result

    async def push_image(self, image: str, *, reference: str, insecure: bool | None = None) -> Pushed:
        """Put an image into an OCI registry."""
        result: Pushed = await self.transport.ask('POST', f"/v1/images/{segment(image)}/push", body={'reference': reference, 'insecure': insecure})
        return result

    async def push_kernel(self, kernel: str, *, reference: str, insecure: bool | None = None) -> Pushed:
        """Put a kernel into an OCI registry."""
        result: Pushed = await self.transport.ask('POST', f"/v1/kernels/{segment(kernel)}/push", body={'reference': reference, 'insecure': insecure})
        return result

    def read_file(self, vm: str, *, path: str | None = None, user: str | None = None, follow: bool | None = None) -> AsyncReply:
        """A file of a running VM."""
        return self.transport.stream('GET', f"/v1/vms/{segment(vm)}/files/content", query={'path': path, 'user': user, 'follow': follow})

    def read_tree(self, vm: str, *, path: str | None = None, user: str | None = None, follow: bool | None = None) -> AsyncReply:
        """A file or directory of a running VM, as a tar."""
        return self.transport.stream('GET', f"/v1/vms/{segment(vm)}/files/tar", query={'path': path, 'user': user, 'follow': follow})

    async def refresh_catalogs(self, *, catalog: str | None = None) -> list[CatalogContent]:
        """Fetch remote catalogs anew."""
        result: list[CatalogContent] = await self.transport.ask('POST', f"/v1/catalogs/refresh", query={'catalog': catalog})
        return result

    async def register_image(self, *, name: str, rootfs: str, kernel_ref: str | None = None, replace: bool | None = None) -> Image:
        """Make an image of an ext4 file system of this machine."""
        result: Image = await self.transport.ask('POST', f"/v1/imports/images", body={'name': name, 'rootfs': rootfs, 'kernel_ref': kernel_ref, 'replace': replace})
        return result

    async def remove_image(self, image: str, *, force: bool | None = None) -> None:
        """Remove an image."""
        await self.transport.ask('DELETE', f"/v1/images/{segment(image)}", query={'force': force})

    async def remove_kernel(self, kernel: str, *, force: bool | None = None) -> None:
        """Remove a kernel."""
        await self.transport.ask('DELETE', f"/v1/kernels/{segment(kernel)}", query={'force': force})

    async def remove_network(self, network: str) -> None:
        """Remove a network that no VM is on."""
        await self.transport.ask('DELETE', f"/v1/networks/{segment(network)}")

    async def remove_snapshot(self, snapshot: str) -> None:
        """Remove a snapshot."""
        await self.transport.ask('DELETE', f"/v1/snapshots/{segment(snapshot)}")

    async def remove_vm(self, vm: str, *, force: bool | None = None) -> None:
        """Remove a VM and its disk."""
        await self.transport.ask('DELETE', f"/v1/vms/{segment(vm)}", query={'force': force})

    async def remove_volume(self, volume: str) -> None:
        """Remove a volume that no VM has, and all that is in it."""
        await self.transport.ask('DELETE', f"/v1/volumes/{segment(volume)}")

    async def rename_image(self, image: str, *, name: str) -> ImageInfo:
        """Give an image that no VM uses another name."""
        result: ImageInfo = await self.transport.ask('POST', f"/v1/images/{segment(image)}/rename", body={'name': name})
        return result

    async def rename_vm(self, vm: str, *, name: str) -> VM:
        """Give a VM that is stopped another name."""
        result: VM = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/rename", body={'name': name})
        return result

    async def restart_vm(self, vm: str, *, timeout: int | None = None, force: bool | None = None) -> VM:
        """Shut a VM down and boot it again."""
        result: VM = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/restart", query={'timeout': timeout, 'force': force})
        return result

    async def restore_snapshot(self, snapshot: str, *, name: str | None = None, replace: str | None = None, disk_only: bool | None = None) -> VM:
        """Make a VM that goes on from a snapshot, or put one back."""
        result: VM = await self.transport.ask('POST', f"/v1/snapshots/{segment(snapshot)}/restore", body={'name': name, 'replace': replace, 'disk_only': disk_only})
        return result

    async def resume_vm(self, vm: str) -> VM:
        """Let a VM that is paused go on."""
        result: VM = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/resume")
        return result

    async def set_policy(self, vm: str, *, egress: Literal['all', 'public', 'none'] | None = None, allow: Sequence[str] | None = None, deny: Sequence[str] | None = None, remove: Sequence[str] | None = None, replace: bool | None = None) -> VM:
        """Change what a VM's guest may reach, at once."""
        result: VM = await self.transport.ask('PATCH', f"/v1/vms/{segment(vm)}/policy", body={'egress': egress, 'allow': allow, 'deny': deny, 'remove': remove, 'replace': replace})
        return result

    async def set_vm(self, vm: str, *, cpus: int | None = None, memory_mib: int | None = None, disk_mib: int | None = None, ports: Sequence[SetVmPorts] | None = None, mounts: Sequence[SetVmMounts] | None = None, volumes: Sequence[SetVmVolumes] | None = None, labels: dict[str, str] | None = None, ttl: str | None = None, idle_timeout: str | None = None) -> VM:
        """Change a VM's settings."""
        result: VM = await self.transport.ask('PATCH', f"/v1/vms/{segment(vm)}", body={'cpus': cpus, 'memory_mib': memory_mib, 'disk_mib': disk_mib, 'ports': ports, 'mounts': mounts, 'volumes': volumes, 'labels': labels, 'ttl': ttl, 'idle_timeout': idle_timeout})
        return result

    async def set_volume(self, volume: str, *, size_mib: int | None = None, labels: dict[str, str] | None = None) -> Volume:
        """Change a volume, which can grow while a VM writes to it."""
        result: Volume = await self.transport.ask('PATCH', f"/v1/volumes/{segment(volume)}", body={'size_mib': size_mib, 'labels': labels})
        return result

    async def start_vm(self, vm: str) -> VM:
        """Boot a VM, and return when it is up."""
        result: VM = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/start")
        return result

    async def stats(self, *, vm: Sequence[str] | None = None, interval: int | None = None) -> list[Usage]:
        """What VMs take, after one interval."""
        result: list[Usage] = await self.transport.ask('GET', f"/v1/stats", query={'vm': vm, 'interval': interval})
        return result

    async def stop_vm(self, vm: str, *, timeout: int | None = None, force: bool | None = None) -> VM:
        """Shut a VM down."""
        result: VM = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/stop", query={'timeout': timeout, 'force': force})
        return result

    async def sync(self, vm: str, *, dir: str, to: str | None = None, user: str | None = None, push: bool | None = None, pull: bool | None = None, delete: bool | None = None, dry_run: bool | None = None) -> SyncDone:
        """Find what changed in a directory of this machine and one of a running VM, and make them alike."""
        result: SyncDone = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/sync", body={'dir': dir, 'to': to, 'user': user, 'push': push, 'pull': pull, 'delete': delete, 'dry_run': dry_run})
        return result

    async def sync_patch(self, vm: str, *, dir: str, to: str | None = None, user: str | None = None, push: bool | None = None, pull: bool | None = None, delete: bool | None = None, dry_run: bool | None = None) -> Patched:
        """What changed in the VM's directory, as a patch for git apply."""
        result: Patched = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/sync/patch", body={'dir': dir, 'to': to, 'user': user, 'push': push, 'pull': pull, 'delete': delete, 'dry_run': dry_run})
        return result

    async def system(self) -> SystemInfo:
        """Versions, the VMM, paths, counts and the configuration in force."""
        result: SystemInfo = await self.transport.ask('GET', f"/v1/system")
        return result

    async def top(self, vm: str, *, interval: int | None = None) -> Topped:
        """The processes of a running VM's guest, after one interval."""
        result: Topped = await self.transport.ask('GET', f"/v1/vms/{segment(vm)}/top", query={'interval': interval})
        return result

    async def touch_vm(self, vm: str) -> VM:
        """Begin a VM's time to live, and its time without use, anew."""
        result: VM = await self.transport.ask('POST', f"/v1/vms/{segment(vm)}/touch")
        return result

    async def verify_image(self, image: str) -> None:
        """Check an image's file system against its manifest."""
        await self.transport.ask('POST', f"/v1/images/{segment(image)}/verify")

    async def verify_kernel(self, kernel: str) -> None:
        """Check a kernel's files against its manifest."""
        await self.transport.ask('POST', f"/v1/kernels/{segment(kernel)}/verify")

    async def verify_snapshot(self, snapshot: str) -> None:
        """Check that a snapshot is what it was."""
        await self.transport.ask('POST', f"/v1/snapshots/{segment(snapshot)}/verify")

    async def version(self) -> dict[str, str]:
        """banger's version."""
        result: dict[str, str] = await self.transport.ask('GET', f"/v1/version")
        return result

    async def wait_vm(self, vm: str) -> Waited:
        """Wait until a VM's own program has ended, or without one until it is down."""
        result: Waited = await self.transport.ask('GET', f"/v1/vms/{segment(vm)}/wait")
        return result

    async def warm_image(self, image: str, *, off: bool | None = None) -> ImageInfo:
        """Boot a throw-away VM of an image, for others to go on from in place of booting."""
        result: ImageInfo = await self.transport.ask('POST', f"/v1/images/{segment(image)}/warm", query={'off': off})
        return result

    def watch_stats(self, *, vm: Sequence[str] | None = None, interval: int | None = None) -> AsyncEventStream:
        """What VMs take, at each interval, as server-sent events."""
        return self.transport.events('GET', f"/v1/stats/watch", query={'vm': vm, 'interval': interval})

    async def write_file(self, vm: str, content: Content, *, path: str | None = None, user: str | None = None, mode: str | None = None, parents: bool | None = None) -> None:
        """Make a file in a running VM, or replace one: it has its name once it is whole."""
        await self.transport.ask('PUT', f"/v1/vms/{segment(vm)}/files/content", query={'path': path, 'user': user, 'mode': mode, 'parents': parents}, content=content)

    async def write_tree(self, vm: str, content: Content, *, path: str | None = None, user: str | None = None, archive: bool | None = None, parents: bool | None = None) -> None:
        """Unpack a tar into a directory of a running VM."""
        await self.transport.ask('PUT', f"/v1/vms/{segment(vm)}/files/tar", query={'path': path, 'user': user, 'archive': archive, 'parents': parents}, content=content)
