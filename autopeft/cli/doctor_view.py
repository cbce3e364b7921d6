"""What a machine has, for people."""

from typing import TYPE_CHECKING, cast

from autopeft.cli.tables import Output, print_heading, print_json, print_paragraph, print_table
from autopeft.domain.units import format_bytes

if TYPE_CHECKING:
    from autopeft.api.doctor import Device, Diagnosis

_MISSING = "missing"


def show_diagnosis(found: "Diagnosis", output_format: str) -> None:
    """Devices, what works, extras, versions."""
    output = cast(Output, output_format)
    if output == "json":
        print_json(found.to_dict())
        return
    print_table(["device", "memory free", "of", ""], [_device(one) for one in found.devices], output)
    print_heading("What works here", output)
    print_table(["", "", "note"], [[one.what, "yes" if one.works else "no", one.hint] for one in found.checks], output)
    print_heading("Extras", output)
    if found.extras:
        rows = [[one.name, one.serves, "yes" if one.installed else one.install_hint] for one in found.extras]
        print_table(["extra", "for", "installed"], rows, output)
    else:
        print_paragraph("autopeft is not installed as a package, so its extras are not known.", output)
    print_heading("Versions", output)
    print_paragraph(", ".join(f"{name} {known or _MISSING}" for name, known in found.versions.items()), output)


def _device(device: "Device") -> list[str]:
    sizes = [format_bytes(size) if size is not None else "-" for size in (device.free_bytes, device.total_bytes)]
    return [device.name, *sizes, device.note]
