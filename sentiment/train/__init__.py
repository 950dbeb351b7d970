"""The recipe of the built-in tone model: `python -m sentiment.train --data DIR --out DIR`.

Never imported at run time: it needs torch, scikit-learn, gensim and onnx.
"""
