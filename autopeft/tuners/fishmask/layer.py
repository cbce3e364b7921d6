"""The layer of FishMask."""

from autopeft.tuners.gradient_choice import GradientChoiceLayer


class FishMaskLayer(GradientChoiceLayer):
    """A linear layer that trains the entries with the largest Fisher information (arXiv:2111.09839, section 3).

        F_i = sum over groups of rows n of (d L_n / d W_i)^2;   the k largest F_i train

    Choices: the paper takes each sample for itself and ranks all weights of the model together; here the rows of
    the first step are split into `groups` (with as many groups as rows it is the paper's), and each target
    matrix keeps the same share. The values trained are differences from the frozen weight.
    """

    adapter_layer_names = ("fishmask_values",)
    other_param_names = ("fishmask_places",)
    values_name = "fishmask_values"
    places_name = "fishmask_places"
    changing_buffers = ("fishmask_places",)
