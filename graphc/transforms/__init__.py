"""What programs do with functions: differentiate them, batch them, give them other derivatives.

The rooms: opened.py (a function run on parameters of its own inside a trace), gradients.py (grad,
value_and_grad), products.py (jvp, vjp, linearize, hvp). Everything here runs while a function is
traced; called outside, a transformed function is compiled as by `jit`. `graphc` exports the names.
"""
