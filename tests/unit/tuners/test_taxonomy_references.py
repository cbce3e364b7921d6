"""The taxonomy's other methods compute what their papers say: each forward against a naive reference, and counts."""

import math
from types import SimpleNamespace

import pytest
import torch
from peft import get_peft_model
from torch import nn
from transformers.pytorch_utils import Conv1D

import autopeft.tuners  # noqa: F401 - registers the methods
from autopeft.tuners.loretta_adp import LorettaAdpConfig
from autopeft.tuners.loretta_rep import LorettaRepConfig
from autopeft.tuners.lorta import LortaConfig
from autopeft.tuners.said import SaidConfig
from autopeft.tuners.ssb import SsbConfig
from autopeft.tuners.ssl import SslConfig
from autopeft.tuners.tensor_train import TensorTrain, mode_sizes

WIDTH, HEADS, KEY_HEADS, HEAD_SIZE = 12, 4, 2, 3


class Block(nn.Module):
    """Attention projections with fewer key heads than query heads, and a Conv1D."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(WIDTH, HEADS * HEAD_SIZE)
        self.k = nn.Linear(WIDTH, KEY_HEADS * HEAD_SIZE, bias=False)
        self.o = nn.Linear(HEADS * HEAD_SIZE, WIDTH)
        self.conv = Conv1D(5, WIDTH)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Block(), Block()])


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def randomised(model: nn.Module, part: str) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if part in name:
                parameter.normal_()


def adapter_size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def close(got: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def hadamard(size: int) -> torch.Tensor:
    """The Walsh-Hadamard matrix by its definition: (-1) to the number of ones that i and j share."""
    signs = [[(-1.0) ** bin(i & j).count("1") for j in range(size)] for i in range(size)]
    return torch.tensor(signs)


@pytest.mark.parametrize("name", ["q", "conv"])
def test_said_is_the_structure_aware_fastfood_update(net: Net, name: str) -> None:
    model = get_peft_model(net, SaidConfig(intrinsic_dimension=7, target_modules=["q", "conv"]))
    randomised(model, "said_")
    layer = net.layers[1].get_submodule(name)
    out = layer.out_features
    n, entries = 2 ** math.ceil(math.log2(WIDTH * out)), WIDTH * out
    signs, gauss = layer.said_signs["default"].float(), layer.said_gauss["default"]
    permutation = torch.eye(n)[layer.said_order["default"].long()]
    projection = hadamard(n) @ torch.diag(gauss) @ permutation @ hadamard(n) @ torch.diag(signs)
    projection = projection[:entries] / (gauss.norm() * math.sqrt(n) * math.sqrt(entries / n))
    theta = torch.cat([model.base_model.said_theta["default"], torch.zeros(n - 7)])
    delta = layer.said_scale["default"] * (projection @ theta)
    x = torch.randn(2, WIDTH)
    close(layer(x), layer.base_layer(x) + x @ delta.view(out, WIDTH).T)
    assert adapter_size(model) == 7 + 4


def test_said_projects_differently_in_each_layer_and_alike_under_the_same_seed(net: Net) -> None:
    get_peft_model(net, SaidConfig(intrinsic_dimension=7, target_modules=["q"]))
    again = Net()
    get_peft_model(again, SaidConfig(intrinsic_dimension=7, target_modules=["q"]))
    drawn = [block.q.said_gauss["default"] for block in (*net.layers, *again.layers)]
    assert torch.equal(drawn[0], drawn[2]) and torch.equal(drawn[1], drawn[3])
    assert not torch.equal(drawn[0], drawn[1])


def lorta_model(net: Net) -> nn.Module:
    config = LortaConfig(r=2, alpha=6.0, head_size=HEAD_SIZE, target_modules=["q", "k", "o"], transposed_modules=["o"])
    model = get_peft_model(net, config)
    randomised(model, "lorta_")
    return model


def test_lorta_is_a_slice_of_the_five_way_tensor(net: Net) -> None:
    model = lorta_model(net)
    first, second, heads, layers, matrices = (
        getattr(model.base_model, f"lorta_{name}")["default"] for name in ("A", "B", "heads", "layers", "matrices")
    )
    tensor = torch.einsum("ar,br,hr,lr,mr->abhlm", first, second, heads, layers, matrices)
    x = torch.randn(3, WIDTH)
    for place, block in enumerate(net.layers):
        for matrix, (name, count) in enumerate([("q", HEADS), ("k", KEY_HEADS)]):
            delta = torch.cat([tensor[:, :, head, place, matrix].T for head in range(count)], dim=0)
            layer = block.get_submodule(name)
            close(layer(x), layer.base_layer(x) + 3.0 * x @ delta.T)
        delta = torch.cat([tensor[:, :, head, place, 2] for head in range(HEADS)], dim=1)
        close(block.o(x), block.o.base_layer(x) + 3.0 * x @ delta.T)
    assert adapter_size(model) == 2 * (WIDTH + HEAD_SIZE + HEADS + 2 + 3)


def test_lorta_reads_the_head_size_from_the_model(net: Net) -> None:
    net.config = SimpleNamespace(hidden_size=WIDTH, num_attention_heads=HEADS, to_dict=dict)
    model = get_peft_model(net, LortaConfig(r=2, target_modules=["q"]))
    assert model.base_model.lorta_B["default"].shape == (HEAD_SIZE, 2)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (LortaConfig(target_modules=["q"]), "head_size"),
        (LortaConfig(target_modules=["q"], head_size=5), "heads of 5"),
        (LortaConfig(target_modules=["q", "conv"], head_size=HEAD_SIZE), "heads of 3"),
    ],
)
def test_lorta_refuses_what_is_not_made_of_heads(net: Net, config: LortaConfig, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        get_peft_model(net, config)


def naive_train(train: TensorTrain) -> torch.Tensor:
    """Entry by entry: the product of one slice of each core."""
    cores = [train.get_parameter(name) for name in train.names]
    sizes = [core.shape[1] for core in cores]
    entries = []
    for flat in range(math.prod(sizes)):
        product, rest, strides = torch.eye(1), flat, [math.prod(sizes[k + 1 :]) for k in range(len(sizes))]
        for core, stride in zip(cores, strides, strict=True):
            product, rest = product @ core[:, rest // stride, :], rest % stride
        entries.append(product)
    return torch.stack(entries).view(train.shape)


def test_a_tensor_train_is_the_product_of_its_cores_slices() -> None:
    torch.manual_seed(0)
    train = TensorTrain(24, 20, 3)
    close(train(), naive_train(train))
    assert math.prod(train.get_parameter(name).shape[1] for name in train.names) == 480
    # The published code draws the cores so that an entry's spread is 1 / sqrt(in + out) whatever the ranks.
    assert TensorTrain(768, 64, 5)().std().item() == pytest.approx(1 / math.sqrt(832), rel=0.6)


def test_the_modes_of_768_by_64_are_the_published_ones() -> None:
    # TRANSFORMERS_HIDDEN_SIZE_TO_TENSOR_SHAPE[64][768] of the authors' code, which holds for both directions.
    for shape in ((768, 64), (64, 768)):
        train = TensorTrain(*shape, 5)
        assert [train.get_parameter(name).shape[1] for name in train.names] == [8, 8, 12, 8, 8]
        assert sum(core.numel() for core in train.parameters()) == 780
    assert [mode_sizes(n) for n in (1, 7, 64, 4096)] == [[1], [7], [8, 8], [8, 8, 8, 8]]


def test_loretta_adp_is_a_serial_bottleneck_of_two_trains(net: Net) -> None:
    model = get_peft_model(net, LorettaAdpConfig(bottleneck_size=6, tensor_rank=2, target_modules=["k"]))
    randomised(model, "loretta_adp_")
    layer = net.layers[0].k
    down, up = (getattr(layer, f"loretta_adp_{side}")["default"] for side in ("down", "up"))
    x = torch.randn(3, WIDTH)
    y = layer.base_layer(x)
    hidden = torch.tanh(y @ naive_train(down) + layer.loretta_adp_down_bias["default"])
    close(layer(x), y + hidden @ naive_train(up) + layer.loretta_adp_up_bias["default"])
    with pytest.raises(ValueError, match="cannot be merged"):
        model.merge_and_unload()


def test_loretta_adp_at_bert_base_size_has_the_count_of_its_formula() -> None:
    with torch.device("meta"):
        site = nn.Sequential(nn.Linear(3072, 768))
        model = get_peft_model(site, LorettaAdpConfig(target_modules=["0"]))
    assert adapter_size(model) == 780 + 780 + 64 + 768


@pytest.mark.parametrize("name", ["q", "conv"])
def test_loretta_rep_is_a_low_rank_update_of_two_trains(net: Net, name: str) -> None:
    model = get_peft_model(net, LorettaRepConfig(r=4, alpha=2.0, tensor_rank=2, target_modules=["q", "conv"]))
    randomised(model, "loretta_rep_")
    layer = net.layers[0].get_submodule(name)
    first, second = layer.loretta_rep_A["default"], layer.loretta_rep_B["default"]
    x = torch.randn(3, WIDTH)
    close(layer(x), layer.base_layer(x) + 0.5 * x @ naive_train(first) @ naive_train(second))


@pytest.mark.parametrize("name", ["q", "k", "conv"])
def test_ssl_scales_the_columns_of_the_weight(net: Net, name: str) -> None:
    model = get_peft_model(net, SslConfig(target_modules=["q", "k", "conv"]))
    randomised(model, "ssl_")
    layer = net.layers[0].get_submodule(name)
    weight = layer.base_layer.weight.T if name == "conv" else layer.base_layer.weight
    x, bias = torch.randn(3, WIDTH), layer.base_layer.bias if name != "k" else 0
    close(layer(x), x @ (weight @ torch.diag(1 + layer.ssl_columns["default"])).T + bias)
    assert adapter_size(model) == 2 * 3 * WIDTH


@pytest.mark.parametrize("name", ["q", "k", "conv"])
def test_ssb_scales_columns_and_rows_of_the_weight_but_not_the_bias(net: Net, name: str) -> None:
    model = get_peft_model(net, SsbConfig(target_modules=["q", "k", "conv"]))
    randomised(model, "ssb_")
    layer = net.layers[0].get_submodule(name)
    weight = layer.base_layer.weight.T if name == "conv" else layer.base_layer.weight
    scaled = torch.diag(1 + layer.ssb_rows["default"]) @ weight @ torch.diag(1 + layer.ssb_columns["default"])
    x, bias = torch.randn(3, WIDTH), layer.base_layer.bias if name != "k" else 0
    close(layer(x), x @ scaled.T + bias)
    assert adapter_size(model) == 2 * (3 * WIDTH + 12 + 6 + 5)


MERGING = [
    SaidConfig(intrinsic_dimension=7, target_modules=["q", "conv"]),
    LortaConfig(head_size=HEAD_SIZE, target_modules=["q", "k", "o"], transposed_modules=["o"]),
    LorettaRepConfig(target_modules=["q", "conv"]),
    SslConfig(target_modules=["q", "conv"]),
    SsbConfig(target_modules=["q", "conv"]),
]


@pytest.mark.parametrize("config", MERGING, ids=lambda config: config.type_name)
def test_merging_is_exact_to_undo_and_leaves_the_shared_weight_alone(net: Net, config: object) -> None:
    shared = net.layers[0].q.weight
    before, x = shared.detach().clone(), torch.randn(3, WIDTH)
    model = get_peft_model(net, config)
    randomised(model, type(config).type_name.lower() + "_")
    adapted = net.layers[0].q(x)
    model.merge_adapter()
    assert torch.equal(shared, before) and not torch.equal(net.layers[0].q.get_base_layer().weight, before)
    torch.testing.assert_close(net.layers[0].q(x), adapted, atol=1e-4, rtol=1e-4)
    model.unmerge_adapter()
    assert net.layers[0].q.get_base_layer().weight is shared and torch.equal(net.layers[0].q(x), adapted)
    merged = model.merge_and_unload(safe_merge=True)
    torch.testing.assert_close(merged.layers[0].q(x), adapted, atol=1e-4, rtol=1e-4)
    assert isinstance(merged.layers[0].q, nn.Linear)


@pytest.mark.parametrize("config", MERGING, ids=lambda config: config.type_name)
def test_a_second_adapter_is_apart_from_the_first(net: Net, config: object) -> None:
    x = torch.randn(3, WIDTH)
    base = net.layers[0].q(x)
    model = get_peft_model(net, config)
    randomised(model, ".default")
    first = net.layers[0].q(x)
    model.add_adapter("other", config)
    model.set_adapter("other")
    assert torch.equal(net.layers[0].q(x), base) and not torch.allclose(first, base)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained and all(".other" in name for name in trained)
    model.set_adapter("default")
    assert torch.equal(net.layers[0].q(x), first)
    model.delete_adapter("other")
    assert not any(".other" in name for name, _ in model.named_parameters())


@pytest.mark.parametrize("config", [SaidConfig(target_modules=["q"]), MERGING[1]], ids=lambda c: c.type_name)
def test_shared_parameters_are_saved_once(net: Net, config: object) -> None:
    model = get_peft_model(net, config)
    names = [name for name, _ in model.named_parameters(remove_duplicate=False) if "theta" in name or "_A" in name]
    assert len(names) == 1 and names[0].startswith("base_model.") and ".layers." not in names[0]


def test_a_delta_refuses_what_is_no_linear_layer() -> None:
    with pytest.raises(ValueError, match="LayerNorm, not a linear layer"):
        get_peft_model(nn.Sequential(nn.LayerNorm(4)), SslConfig(target_modules=["0"]))


def test_half_precision_base_keeps_its_dtype_with_a_float32_adapter(net: Net) -> None:
    for config in MERGING:
        model = get_peft_model(Net().bfloat16(), config)
        assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
        x = torch.randn(3, WIDTH, dtype=torch.bfloat16)
        assert model.base_model.model.layers[0].q(x).dtype == torch.bfloat16
