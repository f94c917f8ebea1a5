r"""`math`: competition problems of seven subjects and five levels (Hendrycks et al., 2021, arXiv 2103.03874).

problem   If $\det \mathbf{A} = 2$ and $\det \mathbf{B} = 12,$ then find
          $\det (\mathbf{A} \mathbf{B}).$
solution  We have that $\det (\mathbf{A} \mathbf{B}) = (\det \mathbf{A})(\det \mathbf{B}) =
          (2)(12) = \boxed{24}.$
"""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from reasoner.benchmarks.tasks.question_answering import Grader, Questions

SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory",
    "prealgebra", "precalculus",
)  # fmt: skip
WORKED = (
    (
        r"Find the domain of the expression  $\frac{\sqrt{x-2}}{\sqrt{5-x}}$.}",
        r"The expressions inside each square root must be non-negative. Therefore, $x-2 \ge 0$, so"
        r" $x\ge2$, and $5 - x \ge 0$, so $x \le 5$. Also, the denominator cannot be equal to zero, so"
        r" $5-x>0$, which gives $x<5$. Therefore, the domain of the expression is $\boxed{[2,5)}$.",
    ),
    (
        r"If $\det \mathbf{A} = 2$ and $\det \mathbf{B} = 12,$ then find"
        r" $\det (\mathbf{A} \mathbf{B}).$",
        r"We have that $\det (\mathbf{A} \mathbf{B}) = (\det \mathbf{A})(\det \mathbf{B}) = (2)(12) ="
        r" \boxed{24}.$",
    ),
    (
        "Terrell usually lifts two 20-pound weights 12 times. If he uses two 15-pound weights instead, how"
        " many times must Terrell lift them in order to lift the same total weight?",
        "If Terrell lifts two 20-pound weights 12 times, he lifts a total of"
        r" $2\cdot 12\cdot20=480$ pounds of weight.  If he lifts two 15-pound weights instead for $n$"
        r" times, he will lift a total of $2\cdot15\cdot n=30n$ pounds of weight.  Equating this to 480"
        " pounds, we can solve for $n$:\n"
        r"\begin{align*}" "\n"
        r"30n&=480\\" "\n"
        r"\Rightarrow\qquad n&=480/30=\boxed{16}" "\n"
        r"\end{align*}",
    ),
    (
        "If the system of equations\n\n"
        r"\begin{align*}" "\n"
        r"6x-4y&=a,\\" "\n"
        r"6y-9x &=b." "\n"
        r"\end{align*}has a solution $(x, y)$ where $x$ and $y$ are both nonzero, find $\frac{a}{b},$"
        r" assuming $b$ is nonzero.",
        r"If we multiply the first equation by $-\frac{3}{2}$, we obtain"
        "\n\n"
        r"$$6y-9x=-\frac{3}{2}a.$$Since we also know that $6y-9x=b$, we have"
        "\n\n"
        r"$$-\frac{3}{2}a=b\Rightarrow\frac{a}{b}=\boxed{-\frac{2}{3}}.$$",
    ),
)  # fmt: skip
"""The prompt of Minerva (Lewkowycz et al., 2022, arXiv 2206.14858, appendix D), with every answer boxed."""


@dataclass(frozen=True)
class HendrycksMath(Questions):
    """Competition problems; up to 4 `shots`, temperature .8 (Beeching et al., 2024, search and learn)."""

    data: str = f"EleutherAI/hendrycks_math:{','.join(SUBJECTS)}"
    grader: Grader = "symbolic"

    name: ClassVar[str] = "math"
    temperature: ClassVar[float] = 0.8
    layout: ClassVar[tuple[str, str]] = ("Problem:\n", "\n\nSolution:")
    worked: ClassVar[tuple[tuple[str, str], ...]] = WORKED
