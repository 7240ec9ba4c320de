import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from weights import reset

texts = [
    (1, "a good film with a good heart"), (0, "a bad film"), (1, "great fun and good songs"), (0, "bad songs and no heart"),
    (1, "good good good"), (0, "no fun at all"), (1, "a great heart"), (0, "all bad all the time"),
]
vocab = {"<unk>": 0}
for _, text in texts[:6]:
    for token in text.split():
        vocab.setdefault(token, len(vocab))
text_pipeline = lambda x: [vocab.get(t, vocab["<unk>"]) for t in x.split()]  # noqa: E731
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def collate_batch(batch):
    label_list, text_list, offsets = [], [], [0]
    for _label, _text in batch:
        label_list.append(_label)
        processed_text = torch.tensor(text_pipeline(_text), dtype=torch.int64)
        text_list.append(processed_text)
        offsets.append(processed_text.size(0))
    label_list = torch.tensor(label_list, dtype=torch.int64)
    offsets = torch.tensor(offsets[:-1]).cumsum(dim=0)
    text_list = torch.cat(text_list)
    return label_list.to(device), text_list.to(device), offsets.to(device)


class TextClassificationModel(nn.Module):
    def __init__(self, vocab_size, embed_dim, num_class):
        super(TextClassificationModel, self).__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, embed_dim, sparse=False)
        self.fc = nn.Linear(embed_dim, num_class)
        self.init_weights()

    def init_weights(self):
        initrange = 0.5
        self.embedding.weight.data.uniform_(-initrange, initrange)
        self.fc.weight.data.uniform_(-initrange, initrange)
        self.fc.bias.data.zero_()

    def forward(self, text, offsets):
        embedded = self.embedding(text, offsets)
        return self.fc(embedded)


dataloader = DataLoader(texts, batch_size=4, shuffle=False, collate_fn=collate_batch)
model = reset(TextClassificationModel(len(vocab), 8, 2)).to(device)
print(model)
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5, gamma=0.1)
for epoch in range(8):
    model.train()
    total_acc, total_count, total_loss = 0, 0, 0.0
    for label, text, offsets in dataloader:
        optimizer.zero_grad()
        predicted_label = model(text, offsets)
        loss = criterion(predicted_label, label)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        total_acc += (predicted_label.argmax(1) == label).sum().item()
        total_count += label.size(0)
        total_loss += loss.item()
    scheduler.step()
    print("| epoch {:3d} | accuracy {:8.3f} | loss {:8.5f}".format(epoch, total_acc / total_count, total_loss))
with torch.no_grad():
    text = torch.tensor(text_pipeline("a good time"))
    output = model(text, torch.tensor([0]))
    print(output, output.argmax(1).item())
    bow = torch.zeros(len(vocab)).index_add_(0, text, torch.ones(3))
    print(bow.nonzero().flatten().tolist(), nn.Embedding.from_pretrained(model.embedding.weight)(text).mean(0))
