"""Weights in several files, as `llama-gguf-split` writes them."""

import gguf

__all__ = ["split"]


def split(source, folder, parts, *, empty_first=False):
    """Cut the weights of a GGUF file; returns the files in order."""
    reader = gguf.GGUFReader(source)
    # More files than this are never asked for; the last one may hold fewer tensors.
    most = -(-len(reader.tensors) // (parts - empty_first))
    writer = gguf.GGUFWriter(
        None,
        str(reader.get_field("general.architecture").contents()),
        split_max_tensors=most,
        small_first_shard=empty_first,
    )
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            kind = field.types[0]
            sub_type = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, sub_type)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file(folder / "weights.gguf")
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    files = sorted(folder.glob("weights-*.gguf"))
    assert len(files) == parts, files
    return files
