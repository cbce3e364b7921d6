"""The layer of SAM."""

from autopeft.tuners.gradient_choice import GradientChoiceLayer


class SamLayer(GradientChoiceLayer):
    """A linear layer that trains the entries with the largest squared gradient (arXiv:2211.15583, section 4).

        s_i = (sum over rows of d L / d W_i)^2;   the k largest s_i train

    Choices: the gradient is that of the first step's rows (the paper: of the training set), and each target
    matrix keeps the same share, where the paper ranks all weights together. The values trained are differences
    from the frozen weight.
    """

    adapter_layer_names = ("sam_values",)
    other_param_names = ("sam_places",)
    values_name = "sam_values"
    places_name = "sam_places"
    changing_buffers = ("sam_places",)
