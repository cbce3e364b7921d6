"""A search behind scikit-learn's interface: `fit` searches, `predict` asks the best adapter.

Inputs are texts, (rows,), in a list, an array, a Series or a single column; pairs of texts are not taken. A fitted
estimator holds the path of its run, so pickling it is cheap; the run directory must stay where it is.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from autopeft.api.run import SearchResult
from autopeft.api.search import search
from autopeft.errors import DataError

Texts = Iterable[str]
_LOADED = "_predictor"


class _AutoPeft(BaseEstimator):
    """What the three estimators share; the arguments are those of `autopeft.search`.

    Args:
        model: hub id or local folder with safetensors weights.
        gpu_mem: memory that training may use, like `"24GB"`, or bytes.
        budget: wall clock of a `fit`, like `"10m"` or seconds; one hour where `trials` is not given either.
        trials: configurations to try at most; without `budget` the result is the same each time.
        methods: ids to search over; by default the recommender's choice.
        output: folder in which every `fit` makes a run directory of its own.
        seed: of everything random.
        batch_size: rows in an optimizer step.
        max_length: tokens in a row; by default from the data.
        full_steps: optimizer steps of a full-length run.
        max_train_rows: cap on training rows.
        max_evaluation_rows: cap on validation and on test rows each.
        top: configurations that are trained to full length.
        confirm_seeds: seeds on which they are.
        threads: CPU threads.
    """

    _task: ClassVar[str]

    def __init__(  # noqa: PLR0913 - scikit-learn wants every setting as an argument of its own
        self,
        model: str = "demo",
        *,
        gpu_mem: str | int | None = None,
        budget: str | float | None = None,
        trials: int | None = None,
        methods: Sequence[str] = (),
        output: str = "runs",
        seed: int = 0,
        batch_size: int | None = None,
        max_length: int | None = None,
        full_steps: int | None = None,
        max_train_rows: int | None = None,
        max_evaluation_rows: int | None = None,
        top: int = 2,
        confirm_seeds: int = 2,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.gpu_mem = gpu_mem
        self.budget = budget
        self.trials = trials
        self.methods = methods
        self.output = output
        self.seed = seed
        self.batch_size = batch_size
        self.max_length = max_length
        self.full_steps = full_steps
        self.max_train_rows = max_train_rows
        self.max_evaluation_rows = max_evaluation_rows
        self.top = top
        self.confirm_seeds = confirm_seeds
        self.threads = threads

    @property
    def run_(self) -> SearchResult:
        """The run behind a fitted estimator: everything that was tried, and the report.

        Raises:
            NotFittedError: `fit` was not called.
        """
        check_is_fitted(self, "run_path_")
        return SearchResult(self.run_path_)

    def _search(self, columns: Mapping[str, list[Any]], task: str) -> None:
        """Search on the columns, each called like the role that it plays."""
        self.__dict__.pop(_LOADED, None)
        Path(self.output).mkdir(parents=True, exist_ok=True)
        # Two fits, even in two processes at the same moment, must not meet in one folder.
        folder = tempfile.mkdtemp(prefix="fit-", dir=self.output)
        settings: dict[str, Any] = self.get_params(deep=False) | {"output": folder}
        roles = {role: role for role in columns}
        run = search(train=dict(columns), task=task, columns=roles, **settings)
        self.run_path_ = str(run.path.absolute())

    def _ask(self, texts: Texts) -> list[dict[str, Any]]:
        """One answer a text, as `autopeft predict` writes them."""
        check_is_fitted(self, "run_path_")
        if _LOADED not in self.__dict__:
            from autopeft.api.finished import open_finished
            from autopeft.api.predict import predictor_of

            self._predictor = predictor_of(open_finished(self.run_path_))
        return list(self._predictor.answers({self._input_role(): text} for text in texts_of(texts)))

    def _input_role(self) -> str:
        return "text"

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != _LOADED}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        return tags


class AutoPeftClassifier(ClassifierMixin, _AutoPeft):
    """A classifier of texts.

    Attributes:
        classes_: the labels, sorted, as `fit` was given them; (classes,).
        run_path_: the run directory.
    """

    _task = "sequence-classification"

    def fit(self, X: Texts, y: Iterable[Any]) -> "AutoPeftClassifier":
        """Search for the best adapter.

        Args:
            X: texts, (rows,).
            y: labels, (rows,), of any kind that sorts.

        Raises:
            DataError: the rows cannot be used; see also `autopeft.search`.
        """
        texts, given = texts_of(X), list(y)
        _require_same_length(texts, given)
        _require_labels(given)
        labels = np.asarray(given)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        names = class_names(self.classes_)
        self._search({"text": texts, "label": [names[number] for number in numbers]}, self._task)
        return self

    def predict(self, X: Texts) -> npt.NDArray[Any]:
        """The likeliest label of each text, (rows,), of the kind that `fit` was given."""
        best = self.predict_proba(X).argmax(axis=1)
        chosen: npt.NDArray[Any] = self.classes_[best]
        return chosen

    def predict_proba(self, X: Texts) -> npt.NDArray[np.float64]:
        """How likely each label is, (rows, classes), in the order of `classes_`."""
        answers = self._ask(X)
        names = class_names(self.classes_)
        rows = [[answer["probabilities"][name] for name in names] for answer in answers]
        return np.asarray(rows, dtype=np.float64).reshape(len(rows), len(names))


class AutoPeftRegressor(RegressorMixin, _AutoPeft):
    """A regressor on texts.

    Attributes:
        run_path_: the run directory.
    """

    _task = "regression"

    def fit(self, X: Texts, y: Iterable[float]) -> "AutoPeftRegressor":
        """Search for the best adapter.

        Args:
            X: texts, (rows,).
            y: numbers, (rows,).

        Raises:
            DataError: the rows cannot be used; see also `autopeft.search`.
        """
        texts, numbers = texts_of(X), np.asarray(list(y), dtype=np.float64)
        _require_same_length(texts, numbers)
        self._search({"text": texts, "label": numbers.tolist()}, self._task)
        return self

    def predict(self, X: Texts) -> npt.NDArray[np.float64]:
        """The number of each text, (rows,)."""
        return np.asarray([answer["prediction"] for answer in self._ask(X)], dtype=np.float64)


class AutoPeftGenerator(_AutoPeft):
    """A writer: texts to texts where `fit` is given targets, else a language model that writes on.

    Attributes:
        run_path_: the run directory.
        writes_on_: whether it was fitted without targets.
    """

    _task = "text-to-text"

    def fit(self, X: Texts, y: Texts | None = None) -> "AutoPeftGenerator":
        """Search for the best adapter.

        Args:
            X: source texts, or documents for a language model, (rows,).
            y: target texts, (rows,), or None.

        Raises:
            DataError: the rows cannot be used; see also `autopeft.search`.
        """
        texts = texts_of(X)
        self.writes_on_ = y is None
        if y is None:
            self._search({"text": texts}, "causal-lm")
            return self
        targets = texts_of(y)
        _require_same_length(texts, targets)
        self._search({"source": texts, "target": targets}, self._task)
        return self

    def predict(self, X: Texts) -> npt.NDArray[np.object_]:
        """What is written for each text, (rows,)."""
        return np.asarray([answer["prediction"] for answer in self._ask(X)], dtype=object)

    def score(self, X: Texts, y: Texts | None = None) -> float:
        """Minus the mean loss per token in nats: greater is better.

        Args:
            X: as in `fit`.
            y: as in `fit`.
        """
        from autopeft.api.evaluate import evaluate

        check_is_fitted(self, "run_path_")
        columns = {"text": texts_of(X)} if y is None else {"source": texts_of(X), "target": texts_of(y)}
        return -evaluate(self.run_path_, columns, columns={role: role for role in columns}).loss

    def _input_role(self) -> str:
        return "text" if self.writes_on_ else "source"


def texts_of(texts: Texts) -> list[str]:
    """The texts as a list.

    Raises:
        DataError: a bare text, none at all, several columns, or something that is no text.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise DataError(f"texts are wanted, (rows,), not a {type(texts).__name__}", hint="give a list of texts")
    shape: tuple[int, ...] = getattr(texts, "shape", ())
    if len(shape) > 1 and shape[1:] != (1,):
        raise DataError(f"one text a row is wanted, not {shape[1]} columns", hint="name one column: X[['text']]")
    found = np.asarray(texts, dtype=object).ravel().tolist() if shape else list(texts)
    strange = next((place for place, text in enumerate(found) if not isinstance(text, str)), None)
    if strange is not None:
        kind = type(found[strange]).__name__
        raise DataError(f"the text at {strange} is a {kind}", hint="give one text a row, and fill in missing ones")
    if not found:
        raise DataError("there are no texts", hint="give at least one")
    return found


def class_names(classes: npt.NDArray[Any]) -> list[str]:
    """A name for each class that reads like it, holds no outer spaces and cannot be taken for a fraction."""
    plain = [str(value).strip() for value in classes.tolist()]
    whole = all(isinstance(value, int) for value in classes.tolist())
    if len(set(plain)) == len(plain) and all(plain) and (whole or not any(map(_is_number, plain))):
        return plain
    return [f"class {number}: {text}" for number, text in enumerate(plain)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _require_labels(labels: Sequence[Any]) -> None:
    for place, label in enumerate(labels):
        # pandas' own mark for a missing value is equal to nothing, and says neither yes nor no.
        if label is None or type(label).__name__ == "NAType" or label != label:
            raise DataError(f"the label at {place} is missing", hint="leave the row out, or fill the label in")


def _require_same_length(texts: Sequence[str], answers: Any) -> None:
    if len(texts) != len(answers):
        raise DataError(f"{len(texts)} texts but {len(answers)} answers", hint="give one answer a text")
