"""The survey's methods compute what their papers say: each forward against a naive reference on random weights."""

import pytest
import torch
from peft import get_peft_model
from torch import nn
from transformers.pytorch_utils import Conv1D

import autopeft.tuners  # noqa: F401 - registers the methods
from autopeft.tuners.compacter import CompacterConfig
from autopeft.tuners.krona import KronAConfig
from autopeft.tuners.krona_res import KronAResConfig
from autopeft.tuners.kronecker import nearest_factors
from autopeft.tuners.parallel import ParallelConfig
from autopeft.tuners.selected import SelectedConfig

WIDTH = 12


class FeedForward(nn.Module):
    """Gated as in Llama, so that two matrices read the block's input."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, 20)
        self.up = nn.Linear(WIDTH, 20)
        self.down = nn.Linear(20, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(torch.relu(self.gate(x)) * self.up(x))


class Net(nn.Module):
    """Two feed-forward blocks with residuals and a matrix of other sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([FeedForward(), FeedForward()])
        self.wide = nn.Linear(WIDTH, 18, bias=False)
        self.conv = Conv1D(8, 18)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = x + block(x)
        return self.conv(self.wide(x))


BESIDE = {"target_modules": ["gate", "up", "down"], "input_modules": ["gate", "up"]}


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def randomised(net: nn.Module, config: object) -> nn.Module:
    """The net with the method's adapter, all of whose values are drawn anew."""
    model = get_peft_model(net, config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_()
    return model


def close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5 * expected.abs().max().item(), rtol=1e-5)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize(("name", "act"), [("relu", torch.relu), ("gelu", nn.functional.gelu)])
def test_parallel_adapter(net: Net, name: str, act: object, learned: bool) -> None:
    config = ParallelConfig(bottleneck_size=3, scaling=4.0, non_linearity=name, learned_scaling=learned, **BESIDE)
    randomised(net, config)
    block = net.blocks[1]
    adapter = block.down.parallel_bottleneck["default"]
    factor = block.down.parallel_scaling["default"] if learned else 4.0
    x = torch.randn(2, 5, WIDTH)
    plain = block.down.base_layer(torch.relu(block.gate.base_layer(x)) * block.up(x))
    hidden = act(x @ adapter.down_weight.T + adapter.down_bias)
    close(block(x), plain + factor * (hidden @ adapter.up_weight.T + adapter.up_bias))


@pytest.mark.parametrize("residual", [False, True])
def test_krona_res(net: Net, residual: bool) -> None:
    randomised(net, KronAResConfig(scaling=2.0, residual=residual, **BESIDE))
    block = net.blocks[0]
    site = block.down
    x = torch.randn(2, 5, WIDTH)
    plain = site.base_layer(torch.relu(block.gate.base_layer(x)) * block.up(x))
    expected = plain + 2.0 * x @ torch.kron(site.krona_res_left["default"], site.krona_res_right["default"]).T
    if residual:
        expected = expected + site.krona_res_residual["default"] * x
    assert ("default" in site.krona_res_residual) is residual
    close(block(x), expected)


@pytest.mark.parametrize("target", ["wide", "conv"])
@pytest.mark.parametrize("rank", [0, 1])
def test_krona(net: Net, target: str, rank: int) -> None:
    model = randomised(net, KronAConfig(target_modules=[target], right_rank=rank, scaling=0.5))
    site = getattr(net, target)
    right = site.krona_right_up["default"] @ site.krona_right_down["default"] if rank else site.krona_right["default"]
    delta = 0.5 * torch.kron(site.krona_left["default"], right)
    x = torch.randn(2, 5, delta.shape[1])
    expected = site.base_layer(x) + x @ delta.T
    close(site(x), expected)
    model.merge_adapter()
    close(site(x), expected)


def test_kronas_right_factor_stays_whole_where_a_low_rank_saves_nothing(net: Net) -> None:
    # 12 = 3 x 4 and 18 = 3 x 6: rank 3 is half of the longer side, where peft's LoKr stops factorising too.
    get_peft_model(net, KronAConfig(target_modules=["wide"], right_rank=3))
    assert "default" in net.wide.krona_right and net.wide.krona_right["default"].shape == (6, 4)


@pytest.mark.parametrize(("number", "factors"), [(1, (1, 1)), (12, (3, 4)), (13, (1, 13)), (1024, (32, 32))])
def test_nearest_factors(number: int, factors: tuple[int, int]) -> None:
    assert nearest_factors(number) == factors


def test_compacter_with_shared_matrices(net: Net) -> None:
    config = CompacterConfig(bottleneck_size=4, phm_dim=2, phm_rank=3, non_linearity="gelu", target_modules=["down"])
    randomised(net, config)
    rule = net.blocks[0].down.compacter_rule["default"]
    assert "default" not in net.blocks[1].down.compacter_rule, "the first site holds what all share"
    for block in net.blocks:
        down, up = block.down.compacter_down["default"], block.down.compacter_up["default"]
        weights = [sum(torch.kron(rule[i], layer.left[i] @ layer.right[i]) for i in range(2)) for layer in (down, up)]
        x = torch.randn(2, 5, 20)
        y = block.down.base_layer(x)
        hidden = nn.functional.gelu(y @ weights[0] + down.bias)
        close(block.down(x), y + hidden @ weights[1] + up.bias)


def test_selected_modules_compute_with_trained_copies(net: Net) -> None:
    model = randomised(net, SelectedConfig(target_modules=["gate", "down"]))
    block, x = net.blocks[0], torch.randn(2, 5, WIDTH)
    gate, down = block.gate.selected_copy["default"], block.down.selected_copy["default"]
    expected = (torch.relu(x @ gate.weight.T + gate.bias) * block.up(x)) @ down.weight.T + down.bias
    close(block(x), expected)
    merged = model.merge_and_unload()
    assert torch.equal(merged.blocks[0](x), block(x)) and type(merged.blocks[0].down) is nn.Linear


@pytest.mark.parametrize(("number", "trained"), [(0, {0, 1}), (1, {1}), (2, {0, 1})])
def test_last_blocks(net: Net, number: int, trained: set[int]) -> None:
    model = get_peft_model(net, SelectedConfig(target_modules=["gate", "up", "down"], last_blocks=number))
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert {int(name.split("blocks.")[1][0]) for name in names} == trained and len(names) == 6 * len(trained)


CONFIGS = {
    "parallel": ParallelConfig(bottleneck_size=3, **BESIDE),
    "learned": ParallelConfig(bottleneck_size=3, learned_scaling=True, **BESIDE),
    "krona": KronAConfig(target_modules=["up", "wide", "conv"]),
    "krona-res": KronAResConfig(**BESIDE),
    "compacter": CompacterConfig(bottleneck_size=4, phm_dim=2, target_modules=["down"]),
    "selected": SelectedConfig(target_modules=["down"]),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_start_is_the_base_and_disabling_and_unloading_give_it_back(net: Net, name: str) -> None:
    x = torch.randn(3, WIDTH)
    base = net(x)
    model = get_peft_model(net, CONFIGS[name])
    assert torch.equal(model(x), base)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_()
    assert not torch.allclose(model(x), base)
    with model.disable_adapter():
        assert torch.equal(model(x), base)
    assert torch.equal(model.unload()(x), base)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_second_adapter_is_apart_from_the_first(net: Net, name: str) -> None:
    x = torch.randn(3, WIDTH)
    base = net(x)
    model = randomised(net, CONFIGS[name])
    first = model(x)
    model.add_adapter("other", CONFIGS[name])
    assert torch.equal(model(x), first)
    model.set_adapter("other")
    assert torch.equal(model(x), base)
    trained = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained and all(".other" in key for key in trained)
    model.delete_adapter("default")
    assert torch.equal(model(x), base) and not any(".default" in key for key, _ in model.named_parameters())


@pytest.mark.parametrize("name", CONFIGS)
def test_every_value_has_a_gradient_after_one_step(net: Net, name: str) -> None:
    model = get_peft_model(net, CONFIGS[name])
    trained = {key: parameter for key, parameter in model.named_parameters() if parameter.requires_grad}
    optimizer = torch.optim.SGD(trained.values(), lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(3, WIDTH)).square().sum().backward()
        optimizer.step()
    without = [key for key, parameter in trained.items() if not parameter.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("name", sorted(set(CONFIGS) - {"selected"}))
def test_half_precision_base_keeps_its_dtype_with_float32_adapters(net: Net, name: str) -> None:
    model = get_peft_model(net.bfloat16(), CONFIGS[name])
    assert {parameter.dtype for parameter in model.parameters() if parameter.requires_grad} == {torch.float32}
    assert model(torch.randn(3, WIDTH, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_selected_modules_train_in_the_bases_dtype(net: Net) -> None:
    model = get_peft_model(net.bfloat16(), CONFIGS["selected"])
    assert {parameter.dtype for parameter in model.parameters() if parameter.requires_grad} == {torch.bfloat16}
    assert model(torch.randn(3, WIDTH, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CompacterConfig(bottleneck_size=5, phm_dim=2, target_modules=["down"]), "phm_dim 2 does not divide"),
        (lambda: SelectedConfig(target_modules=["down"], last_blocks=3), "has 2 blocks"),
        (lambda: SelectedConfig(target_modules=["wide"], last_blocks=1), "numbered block"),
        (lambda: ParallelConfig(target_modules=["down"], input_modules=["gate"]), "input_modules"),
        (lambda: ParallelConfig(target_modules=["up", "conv"], input_modules=["up"]), "takes 12 features and gives 8"),
        (lambda: ParallelConfig(bottleneck_size=0), "bottleneck_size"),
        (lambda: ParallelConfig(non_linearity="wave", **BESIDE), "non_linearity"),
        (lambda: KronAConfig(right_rank=-1), "right_rank"),
    ],
)
def test_what_does_not_fit_is_refused(net: Net, make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        get_peft_model(net, make())


@pytest.mark.parametrize("name", ["parallel", "krona-res", "compacter"])
def test_what_cannot_be_merged_says_why(net: Net, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be merged into the base model: "):
        get_peft_model(net, CONFIGS[name]).merge_and_unload()
