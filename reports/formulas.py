"""The formulas of the report, each once: in Typst's notation, and in words.

Notation of Ho et al. 2020: alpha-bar is the product of all 1 − β; Prince writes α for it.
"""

from reports.contents import Formula

Z_T = Formula("z_t", "z t")
Z_LAST = Formula("z_T", "z T")
X = Formula("x", "x")
X_1 = Formula("x^((1))", "x 1")
X_2 = Formula("x^((2))", "x 2")
T = Formula("T", "T")
t = Formula("t", "t")
EPS = Formula("epsilon", "epsilon")
BETA_T = Formula("beta_t", "beta t")
ABAR_T = Formula("overline(alpha)_t", "alpha-bar t")
NETWORK = Formula("upright(g)[z_t, t]", "g of z t and t")
REGRESSOR = Formula("upright(f)[z_t, t]", "f of z t and t")
Y = Formula("y", "y")
Y_HAT = Formula("hat(y)", "y-hat")
MASK = Formula("m", "m")
S = Formula("s", "s")
SIGMA = Formula("sigma = sqrt((1 - overline(alpha)_t) \\/ overline(alpha)_t)", "sigma")

SCHEDULE = Formula(
    "beta_t = beta_1 + (t - 1)/(T - 1) (beta_T - beta_1), quad "
    "overline(alpha)_t = product_(s=1)^t (1 - beta_s)",
    "beta t grows evenly from beta 1 to beta T; alpha-bar t is the product over s from 1 to t of "
    "1 minus beta s",
)
KERNEL = Formula(
    'q(z_t | x) = "Norm"_(z_t) [sqrt(overline(alpha)_t) x, (1 - overline(alpha)_t) I], quad '
    "z_t = sqrt(overline(alpha)_t) x + sqrt(1 - overline(alpha)_t) epsilon, quad "
    'epsilon tilde.op "Norm" [0, I]',
    "q of z t given x is normal with mean root alpha-bar t times x and variance 1 minus "
    "alpha-bar t: z t is root alpha-bar t times x plus root of 1 minus alpha-bar t times epsilon, "
    "epsilon standard normal",
)

# Sampling
DOWNWARD = Formula("t = T, dots, 2", "t from T down to 2")
PAIR = Formula("t > s", "t greater than s")
S_ZERO = Formula("s = 0", "s = 0")
FIRST_ORDER = Formula("D = hat(x)", "D = x-hat")
ALPHA_T = Formula("alpha_t", "alpha t")
BELOW_T = Formula("t < T", "t less than T")
DRAW_START = Formula('z_T tilde.op "Norm" [0, I]', "draw z T from the standard normal")
DRAW_NOISE = Formula('epsilon tilde.op "Norm" [0, I]', "draw epsilon from the standard normal")
DDPM_MEAN = Formula(
    "hat(z)_(t-1) = 1/sqrt(1 - beta_t) (z_t - beta_t/sqrt(1 - overline(alpha)_t) "
    "upright(g)[z_t, t])",
    "z-hat at t minus 1 is z t minus beta t over root of 1 minus alpha-bar t times g of z t and t, "
    "all over root of 1 minus beta t",
)
DDPM_NOISE = Formula(
    "z_(t-1) = hat(z)_(t-1) + sigma_t epsilon",
    "z at t minus 1 is z-hat at t minus 1 plus sigma t times epsilon",
)
DDPM_LAST = Formula(
    "x = 1/sqrt(1 - beta_1) (z_1 - beta_1/sqrt(1 - overline(alpha)_1) upright(g)[z_1, 1])",
    "x is z 1 minus beta 1 over root of 1 minus alpha-bar 1 times g of z 1 and 1, all over root "
    "of 1 minus beta 1, without noise",
)
SIGMA_BETA = Formula("sigma_t^2 = beta_t", "sigma t squared is beta t")
SIGMA_POSTERIOR = Formula(
    "sigma_t^2 = (1 - overline(alpha)_(t-1))/(1 - overline(alpha)_t) beta_t",
    "sigma t squared is beta t times 1 minus alpha-bar at t minus 1, over 1 minus alpha-bar t",
)
PAIR_BETA = Formula(
    "1 - overline(alpha)_t \\/ overline(alpha)_s", "1 minus alpha-bar t over alpha-bar s"
)
PREDICT_X = Formula(
    "hat(x) = (z_t - sqrt(1 - overline(alpha)_t) upright(g)[z_t, t])/sqrt(overline(alpha)_t)",
    "x-hat is z t minus root of 1 minus alpha-bar t times g of z t and t, over root alpha-bar t",
)
DDIM_STEP = Formula(
    "z_s = sqrt(overline(alpha)_s) hat(x) + sqrt(1 - overline(alpha)_s - sigma_t^2) "
    "upright(g)[z_t, t] + sigma_t epsilon",
    "z s is root alpha-bar s times x-hat, plus root of 1 minus alpha-bar s minus sigma t squared "
    "times g of z t and t, plus sigma t times epsilon",
)
DDIM_SIGMA = Formula(
    "sigma_t^2 = eta^2 (1 - overline(alpha)_s)/(1 - overline(alpha)_t) "
    "(1 - overline(alpha)_t/overline(alpha)_s)",
    "sigma t squared is eta squared times 1 minus alpha-bar s over 1 minus alpha-bar t times 1 "
    "minus alpha-bar t over alpha-bar s",
)
DPM_LAMBDA = Formula(
    "lambda_t = 1/2 ln (overline(alpha)_t/(1 - overline(alpha)_t)), quad h = lambda_s - lambda_t",
    "lambda t is half the logarithm of alpha-bar t over 1 minus alpha-bar t; h is lambda s minus "
    "lambda t",
)
DPM_EXTRAPOLATE = Formula(
    "D = (1 + h/(2 h')) hat(x) - h/(2 h') hat(x)'",
    "D is 1 plus h over 2 h-prime times x-hat, minus h over 2 h-prime times the x-hat before",
)
DPM_STEP = Formula(
    "z_s = sqrt((1 - overline(alpha)_s)/(1 - overline(alpha)_t)) z_t "
    "- sqrt(overline(alpha)_s) (e^(-h) - 1) D",
    "z s is root of 1 minus alpha-bar s over 1 minus alpha-bar t times z t, minus root alpha-bar s "
    "times e to the minus h minus 1, times D",
)

# Merging
NOISED = Formula(
    "z_t^((i)) = sqrt(overline(alpha)_t) x^((i)) + sqrt(1 - overline(alpha)_t) epsilon, quad "
    "i = 1, 2",
    "z t of face i is root alpha-bar t times face i plus root of 1 minus alpha-bar t times epsilon",
)
JOINED = Formula(
    "z_t = m dot.o z_t^((1)) + (1 - m) dot.o z_t^((2))",
    "z t is the mask times z t of face 1 plus 1 minus the mask times z t of face 2",
)

# The regressor
GAUSSIAN = Formula(
    'Pr(y | z_t) = "Norm"_y [upright(f)[z_t, t], 1]',
    "the probability of y given z t is normal with mean f of z t and t and variance 1",
)
LOSS = Formula(
    'L = - sum_i log Pr(y_i | z_i) = 1/2 sum_i (y_i - upright(f)[z_i, t_i])^2 + "const."',
    "the loss, the sum of minus log probabilities, is half the sum of squared differences of "
    "y and f, plus a constant",
)
NOISED_I = Formula(
    "z_i = sqrt(overline(alpha)_(t_i)) x_i + sqrt(1 - overline(alpha)_(t_i)) epsilon_i",
    "z i is root alpha-bar at t i times x i plus root of 1 minus alpha-bar at t i times epsilon i",
)
DRAW_T = Formula(
    't_i = ceil(T u_i^k), quad u_i tilde.op "Uniform" [0, 1]',
    "t i is T times u i to the power of k, rounded up; u i is uniform between 0 and 1",
)
MAE = Formula(
    '"MAE" = 1/n sum_i abs(hat(y)_i - y_i)',
    "M A E is the mean of the absolute differences of y-hat and y",
)

# Guidance
LOG_PLAIN = Formula(
    "log Pr(y | z_t) = -(hat(y) - y)^2",
    "log probability of y given z t is minus y-hat minus y, squared",
)
LOG_CALIBRATED = Formula(
    'log Pr(y | z_t) = - (hat(y) - y)^2/(2 "MSE"(t))',
    "log probability of y given z t is minus y-hat minus y, squared, over 2 times M S E of t",
)
MSE_T = Formula('"MSE"(t)', "M S E of t")
GRADIENT = Formula(
    "nabla_(z_t) log Pr(y | z_t), quad hat(y) = upright(f)[z_t, t]",
    "the gradient, with respect to z t, of the log probability of y given z t, where y-hat is f "
    "of z t and t",
)
GRADIENT_X = Formula(
    "nabla_(z_t) log Pr(y | z_t), quad hat(y) = upright(f)[hat(x)(z_t), 1]",
    "the gradient, with respect to z t, of the log probability of y given z t, where y-hat is f "
    "at the predicted x-hat of z t",
)
MEAN_SHIFT = Formula(
    'z_(t-1) tilde.op "Norm" [mu + s Sigma nabla_(z_t) log Pr(y | z_t), Sigma], quad '
    "mu = hat(z)_(t-1), quad Sigma = sigma_t^2 I",
    "z at t minus 1 is normal with mean mu plus s times Sigma times the gradient, and covariance "
    "Sigma; mu is z-hat at t minus 1, Sigma is sigma t squared times the identity",
)
EPS_SHIFT = Formula(
    "hat(epsilon) = upright(g)[z_t, t] - sqrt(1 - overline(alpha)_t) s nabla_(z_t) log Pr(y | z_t)",
    "epsilon-hat is g of z t and t minus root of 1 minus alpha-bar t times s times the gradient",
)
EPS_HAT = Formula("hat(epsilon)", "epsilon-hat")

# Training of the noise predictor
NOISE_LOSS = Formula(
    "L = sum_i norm(upright(g)[sqrt(overline(alpha)_(t_i)) x_i + sqrt(1 - overline(alpha)_(t_i)) "
    "epsilon_i, t_i] - epsilon_i)^2",
    "the loss is the sum of the squared distances of g, at the noised face, and the noise",
)
