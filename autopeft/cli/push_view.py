"""What is, or would be, uploaded, for people."""

from typing import TYPE_CHECKING, cast

from autopeft.cli.tables import Output, print_json, print_paragraph, print_table
from autopeft.domain.units import format_bytes

if TYPE_CHECKING:
    from autopeft.api.push import Push


def show_push(push: "Push", output_format: str) -> None:
    """The files with their sizes, and where they went."""
    output = cast(Output, output_format)
    if output == "json":
        print_json(push.to_dict())
        return
    print_table(["file", "size"], [[one.name, format_bytes(one.bytes)] for one in push.files], output, numbers=["size"])
    went = f"uploaded: {push.address}" if push.address else f"to {push.repository}, for the base {push.base}"
    print_paragraph(went, output)
